/// Numbers of unfinished uploads in the journal: those that can be resumed, streams, and those to be dropped.
package struct UnfinishedCounts: Equatable, Sendable {
    package var resumable = 0
    /// Streams, of which nothing can be resumed.
    package var streams = 0
    /// Uploads that the user has dropped. The next run that reaches a gateway removes them from the store.
    package var dropping = 0

    package init(resumable: Int = 0, streams: Int = 0, dropping: Int = 0) {
        self.resumable = resumable
        self.streams = streams
        self.dropping = dropping
    }

    package var total: Int { resumable + streams + dropping }

    /// Advice for the user: one line for each kind of unfinished upload.
    package var lines: [String] {
        [
            (
                resumable, "upload",
                "unfinished and kept: sluice-agent resume continues, sluice-agent abort ID drops, sluice-agent status "
                    + "lists."
            ),
            (
                streams, "stream",
                "unfinished and cannot be resumed: push the stream again with its --key, or drop what is stored with "
                    + "sluice-agent abort ID; sluice-agent status lists."
            ),
            (dropping, "upload", "still to be dropped: a push or resume does it when it reaches the gateway."),
        ].filter { $0.0 > 0 }.map { count, noun, rest in
            "\(counted(count, noun)) \(count == 1 ? "is" : "are") \(rest)"
        }
    }
}
