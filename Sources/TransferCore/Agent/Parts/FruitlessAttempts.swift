import TransferCommon
package import WireProtocol

/// The attempts of an upload in a row that sent data and brought no part into the store, because the connection was cut
/// first and no gateway kept the data.
///
///     from     event                                                      to
///     idle     the socket takes data                                      sending
///     sending  the store refuses a part                                   settled
///     sending  the last connection is lost                                cut
///     settled  the last connection is lost                                idle
///     cut      a gateway has kept more of a part than before              idle
///     cut      a gateway has kept no more than before                     lost
///     cut      the socket takes data                                      sending
///     lost     the socket takes data                                      sending
///     any      a part is stored                                           settled
///
/// An attempt ends with the upload's last connection, and not with the run: an agent that runs for months has only one
/// run. The journal has the count, so that an agent that is started anew for each short connection learns of the
/// attempts before. The count includes the attempt under way. An agent that is killed together with its link could not
/// write anything later.
package struct FruitlessAttempts: Hashable, Sendable {
    /// The states of the count, as the table in the comment on `FruitlessAttempts` lists them.
    package enum State: Hashable, Sendable {
        /// No data was sent since the last connection was lost, and nothing is unknown about the attempts before.
        case idle
        /// Data was sent, and no part has been stored.
        case sending
        /// A part was stored, or the store refused one, so the attempt shows nothing against the link.
        case settled
        /// The attempt has ended, and no gateway has said yet what it kept of the data.
        case cut
        /// The data of the last attempt is lost.
        case lost
    }

    package private(set) var state: State
    /// The number of attempts, with the one under way.
    package private(set) var count: Int
    private var savedCount: Int
    /// How much of a part a gateway held at the beginning of the last attempt.
    private var kept: ByteOffset = 0

    /// After so many attempts the upload gets the smallest parts, unless a part is stored.
    package static let countForSmallParts = 2

    /// - Parameter count: the attempts that the journal has.
    package init(count: Int = 0) {
        self.count = count
        self.savedCount = count
        self.state = count > 0 ? .cut : .idle
    }

    /// Whether the parts are too large for the time that a connection lasts.
    package var needSmallParts: Bool { count >= Self.countForSmallParts }

    /// Whether that is certain, because a gateway has said that the data of the last attempt is lost.
    package var areHopeless: Bool { state == .lost && needSmallParts }

    /// The count, if it differs from the one in the journal. The caller writes it.
    package mutating func takeUnsaved() -> Int? {
        guard count != savedCount else { return nil }
        savedCount = count
        return count
    }

    // MARK: Events

    /// Counts the attempt when the socket has taken data of a part. If the part is the whole file and cannot be made
    /// smaller, the attempt is not counted, because nothing would follow from it.
    mutating func dataSent(of part: OutgoingPart, isWholeFile: Bool, on connections: AgentConnectionTable) {
        guard state != .sending, state != .settled else { return }
        if isWholeFile {
            let smallest = part.place.flatMap { connections[$0.connection]?.welcome?.partBytesMin }
            guard let smallest, part.size > smallest else { return }
        }
        dataSent()
    }

    /// Counts a new attempt, unless one is under way, because the socket has taken data of a part.
    package mutating func dataSent() {
        switch state {
        case .idle, .cut, .lost:
            state = .sending
            count += 1
        case .sending, .settled: break
        }
    }

    /// Sets the count to 0, because the store has a part.
    package mutating func partStored() {
        state = .settled
        count = 0
        kept = 0
    }

    /// The store does not take a part now.
    package mutating func storeRefused() {
        guard state == .sending else { return }
        state = .settled
        count -= 1
    }

    /// Ends the attempt, because the upload has lost its last connection.
    package mutating func connectionsLost() {
        switch state {
        case .sending: state = .cut
        case .settled: state = .idle
        case .idle, .cut, .lost: break
        }
    }

    /// Learns from a decision on a part, or from the answer to RESUME QUERY, what the gateway has kept.
    /// `namesPartials`: whether that answer names all parts of which the gateway holds bytes.
    package mutating func received(_ frame: Frame, namesPartials: Bool) {
        guard state == .cut else { return }
        switch frame {
        case .partDecision(let decision):
            if case .send(let offset, _) = decision.decision { judge(offset) }
        case .resumeState(let answer):
            let offset = answer.partials.map(\.offset).max()
            // The store has a part whose confirmation was lost with the connection.
            if answer.candidateParts > 0 {
                judge(.max)
            } else if namesPartials || offset != nil {
                judge(offset ?? 0)
            }
        default: break
        }
    }

    private mutating func judge(_ offset: ByteOffset) {
        if offset > kept {
            state = .idle
            count -= 1
        } else {
            state = .lost
        }
        kept = offset
    }
}

extension AgentContext {
    /// Writes the count of fruitless attempts to the journal, if it has changed. Nothing waits for this write: if it is
    /// lost, one more attempt is made with large parts.
    mutating func save(_ attempts: inout FruitlessAttempts, of upload: UploadID) {
        if let count = attempts.takeUnsaved() { journal(.fruitless(upload, attempts: count)) }
    }
}
