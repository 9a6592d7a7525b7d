package import WireProtocol

/// Chooses the slot in which a part is offered, among those of its session: on the connection that sends the fewest
/// parts of the upload, then of all uploads.
///
/// While other connections are being established or joined, each is left its share of the parts: a part stays where it
/// was offered, and the few parts under way may be the only ones for minutes.
package struct OfferPlacement: Hashable, Sendable {
    /// A slot that may carry the part.
    package struct Candidate: Hashable, Sendable {
        let place: Attachment
        /// Parts of the upload that are being sent in the slot.
        let sendingCount: Int
        /// Parts of all uploads that take turns on the connection.
        let turnCount: Int

        init(_ place: Attachment, sendingCount: Int, turnCount: Int) {
            self.place = place
            self.sendingCount = sendingCount
            self.turnCount = turnCount
        }

        /// - Parameter slot: of the connection.
        package init(_ connection: ConnectionID, slot: Slot, sendingCount: Int, turnCount: Int) {
            self.init(
                Attachment(connection: connection, slot: slot), sendingCount: sendingCount, turnCount: turnCount)
        }
    }

    /// How many parts of the upload each connection may send; `nil` if no other connection is expected.
    let share: Int?

    /// - Parameters:
    ///   - concurrency: parts that may be under way at once.
    ///   - coming: connections that are expected to carry the session soon.
    ///   - present: connections that carry it.
    package init(concurrency: Int, coming: Int, present: Int) {
        let all = coming + present
        self.share = coming > 0 ? (concurrency + all - 1) / all : nil
    }

    /// No connection is left a share.
    package init() {
        self.share = nil
    }

    func choose(among candidates: [Candidate]) -> Attachment? {
        candidates.filter { candidate in share.map { candidate.sendingCount < $0 } ?? true }
            .min { left, right in
                (left.sendingCount, left.turnCount, left.place.connection)
                    < (right.sendingCount, right.turnCount, right.place.connection)
            }?.place
    }

    /// The connection on which the part is offered; `nil` if none may carry it now.
    package func connection(among candidates: [Candidate]) -> ConnectionID? { choose(among: candidates)?.connection }
}
