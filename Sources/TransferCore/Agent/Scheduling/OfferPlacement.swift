import WireProtocol

/// Chooses the slot in which a part is offered, among the slots of its session: the slot on the connection that sends
/// the fewest parts of the upload. If several connections send equally few, the parts of all uploads count.
///
/// A share of the parts is kept for each connection that is expected to join the session. A part stays on its
/// connection, so without shares the first one would send all parts, perhaps for minutes, while the others are idle.
package struct OfferPlacement: Hashable, Sendable {
    /// A slot that may carry the part.
    package struct Candidate: Hashable, Sendable {
        let place: Attachment
        /// Number of parts of the upload that are being sent in the slot.
        let sendingCount: Int
        /// Number of parts, of all uploads, that take turns on the connection.
        let turnCount: Int

        package init(_ place: Attachment, sendingCount: Int, turnCount: Int) {
            self.place = place
            self.sendingCount = sendingCount
            self.turnCount = turnCount
        }
    }

    /// How many parts of the upload each connection may send; `nil` if no other connection is expected.
    let share: Int?

    /// `coming`: connections that are expected to carry the session soon. `present`: those that carry it now.
    package init(concurrency: Int, coming: Int, present: Int) {
        let all = coming + present
        self.share = coming > 0 ? (concurrency + all - 1) / all : nil
    }

    /// Makes a placement that keeps no share of the parts for other connections, because none is expected.
    package init() {
        self.share = nil
    }

    /// The slot in which the part is offered; `nil` if none may carry it now.
    package func choose(among candidates: [Candidate]) -> Attachment? {
        candidates.filter { candidate in share.map { candidate.sendingCount < $0 } ?? true }
            .min { left, right in
                (left.sendingCount, left.turnCount, left.place.connection)
                    < (right.sendingCount, right.turnCount, right.place.connection)
            }?.place
    }
}
