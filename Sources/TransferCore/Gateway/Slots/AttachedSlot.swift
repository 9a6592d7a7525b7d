package import TransferCommon
package import WireProtocol

/// A slot that carries a session, as the session sees it.
///
///     from        event                                                       to
///     unanswered  another session is adopted, and takes the slot over         unanswered
///     unanswered  the session is open                                         open
///     unanswered  RESUME QUERY finds the session completing                   completing
///     open        COMPLETE has passed the checks                              completing
///     completing  parts are wanted; COMPLETE becomes void                     open
///
/// - ABORT attaches a slot as `aborting`, and the slot stays so. Each answer that the table does not list closes the
///   slot and detaches it from the session.
/// - An agent ignores decisions that arrive before the answer to SESSION OPEN or RESUME QUERY. So an unanswered slot
///   holds its decisions back, and the gateway sends them after the answer.
package struct AttachedSlot: Hashable, Sendable {
    /// The phases of one slot; `aborting` is never left.
    package enum Phase: Hashable, Sendable {
        case unanswered(Question, held: [PartNumber: PartDecision.Decision])
        case open
        case completing
        case aborting
    }

    /// The answer that an unanswered slot gets when the session is open.
    package enum Question: Hashable, Sendable {
        /// SESSION OPENED.
        case open
        /// SESSION OPENED that names this session in place of the one that the agent opened.
        case adopt
        /// RESUME STATE.
        case resume(listed: [PartListEntry], asksForPartials: Bool)

        /// The parts that the agent has listed as stored.
        package var listed: [PartListEntry] {
            guard case .resume(let listed, _) = self else { return [] }
            return listed
        }

        /// Whether the answer names the parts of which this gateway holds the first bytes.
        package var asksForPartials: Bool {
            switch self {
            case .open: false
            case .adopt: true
            case .resume(_, let asksForPartials): asksForPartials
            }
        }
    }

    package let attachment: Attachment
    package private(set) var phase: Phase
    /// Whether part 1 was offered in this slot, or named there as a partial. COMPLETE of a one-part file requires that.
    package private(set) var hasOffered = false

    /// A slot in which SESSION OPEN or RESUME QUERY has arrived.
    package init(_ attachment: Attachment, asks question: Question) {
        self.attachment = attachment
        self.phase = .unanswered(question, held: [:])
    }

    /// A slot in which ABORT has arrived.
    package init(aborting attachment: Attachment) {
        self.attachment = attachment
        self.phase = .aborting
    }

    // MARK: Read-outs

    /// The answer that the slot still waits for before it is open; `nil` if the slot was answered, or is aborting.
    package var question: Question? {
        guard case .unanswered(let question, _) = phase else { return nil }
        return question
    }

    package var isUnanswered: Bool { if case .unanswered = phase { true } else { false } }

    /// The list of a RESUME QUERY that is not answered.
    package var listed: [PartListEntry] { question?.listed ?? [] }

    /// How many decisions are held until the slot is answered.
    package var heldCount: Int {
        guard case .unanswered(_, let held) = phase else { return 0 }
        return held.count
    }

    /// The frame that closes the slot with a refusal. The type of the frame depends on the slot's phase.
    package func refusing(_ refusal: SessionRefused) -> Frame {
        switch phase {
        case .open, .completing: .error(refusal.asSessionError)
        case .unanswered, .aborting: .sessionRefused(refusal)
        }
    }

    // MARK: Events

    /// Opens the slot, because the session is open; returns the decisions that follow the answer, in order.
    package mutating func answered() -> [PartDecision] {
        guard case .unanswered(_, let held) = phase else { return [] }
        phase = .open
        return held.sorted { $0.key < $1.key }.map { PartDecision(part: $0.key, decision: $0.value) }
    }

    /// Changes the answer that the slot waits for, because an unfinished session takes the slot over.
    package mutating func turnedToAdopted() {
        guard case .unanswered(_, let held) = phase else { return }
        phase = .unanswered(.adopt, held: held)
    }

    /// Lets the slot wait for the outcome of COMPLETE.
    package mutating func completes() {
        phase = .completing
    }

    /// Opens the slot if it was completing, because COMPLETE is void or PARTS WANTED is sent; returns whether it was.
    package mutating func reopens() -> Bool {
        guard phase == .completing else { return false }
        phase = .open
        return true
    }

    /// Notes that a part is offered or named as a partial in the slot, which voids a held decision on the part.
    package mutating func offered(_ part: PartNumber) {
        hasOffered = true
        guard case .unanswered(let question, var held) = phase else { return }
        held[part] = nil
        phase = .unanswered(question, held: held)
    }

    /// Holds a decision until the slot is answered; returns `false` if the caller sends it at once.
    package mutating func hold(_ decision: PartDecision) -> Bool {
        guard case .unanswered(let question, var held) = phase else { return false }
        held[decision.part] = decision.decision
        phase = .unanswered(question, held: held)
        return true
    }
}
