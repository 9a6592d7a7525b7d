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
        var lines: [String] = []
        if resumable > 0 {
            lines.append(
                "\(counted(resumable, "upload")) \(resumable == 1 ? "is" : "are") unfinished and kept: "
                    + "sluice-agent resume continues, sluice-agent abort ID drops, sluice-agent status lists.")
        }
        if streams > 0 {
            lines.append(
                "\(counted(streams, "stream")) \(streams == 1 ? "is" : "are") unfinished and cannot be resumed: "
                    + "push the stream again with its --key, or drop what is stored with sluice-agent abort ID; "
                    + "sluice-agent status lists.")
        }
        if dropping > 0 {
            lines.append(
                "\(counted(dropping, "upload")) \(dropping == 1 ? "is" : "are") still to be dropped: a push or resume "
                    + "does it when it reaches the gateway.")
        }
        return lines
    }
}
