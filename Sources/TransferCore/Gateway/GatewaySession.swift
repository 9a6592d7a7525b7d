import TransferCommon
import WireProtocol

// A session at one gateway: the machine that decides what the store is asked, what the agent is told, and when.
//
// Invariants
// - *stored* is said of a part only after the store's own answer, and never taken back (`stored` only grows, but for
//   parts that the store is seen to hold in another form).
// - Completed are exactly the ETags that the agent listed, and only if they make one whole file.
// - "The store does not know the upload" leads to a search for evidence, never to success or loss by itself.
// - Every byte the agent may send is reserved in the budget before it is told so.
// - No object is replaced that the session's write condition does not name.
//
//   from              event                              to
//   lookingUp         the store has nothing in the way   findingRecords (several parts), open (one part)
//   findingRecords    none to go on with                 recording
//   findingRecords    this session's own                 listing
//   findingRecords    one to adopt                       probing
//   probing           the store lists its upload         ended (the slots turn to that session)
//   probing           the store does not                 probing (the next one), recording
//   recording         record written                     creating
//   creating          upload created                     recordingUpload
//   recordingUpload   record written                     open
//   listing           parts listed                       open
//   listing           upload unknown                     searching
//   open              COMPLETE                           completing
//   open, completing  upload unknown                     searching
//   searching         the condition holds again          completing, open (one part: it is sent again)
//   searching         nothing, for long enough           ended (lost); after a conflict as in the row above
//   any look          an object of this session          settled
//   any look          one that must not be replaced      taken, ended (without an upload)
//   lookingUp         one that the agent compares with   ended
//   completing        a condition failed, a conflict     searching
//   completing        parts wanted                       open
//   completing        completed                          settled
//   any but ended     ABORT                              aborting
//   aborting          the store lists no part            ended
//   any opening       the store fails                    ended (refused; the agent tries again)
struct GatewaySession: Hashable {
    enum Phase: Hashable {
        /// The gateway has made the session, and has attached no slot to it yet.
        case new
        case opening(SessionOpening)
        case searching(Search)
        case open
        case completing(Completion)
        case aborting(UploadAbort)
        /// The object is there. Remembered for a while, for an agent that lost the answer.
        case settled(Completed)
        /// The key holds an object that this session may not replace. What was begun is dropped, and the answer
        /// remembered for a while.
        case taken(SessionExists)
        case ended
    }

    let device: AuthorisedDevice
    var facts: SessionRecordFacts
    let plan: PartPlan
    /// The agent compares with an object of the file's size before it sends anything.
    let compares: Bool
    var writeGuard: WriteGuard
    var phase: Phase
    var attached: [AttachedSlot] = []
    /// The request whose answer the phase waits for.
    var request: StoreRequestID?
    /// The parts that the store is known to have, by its answers and listings.
    var stored: [PartNumber: PartListEntry] = [:]
    /// Which parts' digests this gateway knows by more than the agent's word.
    var evidence = PartEvidence()
    /// Whether the gateway may sign what it tells of the object of a settled session.
    var isVerified = false
    /// How far a stream has come by the offers of its parts.
    var extent = StreamExtent()
    /// The parts under way.
    var parts: [PartNumber: IncomingPart] = [:]
    /// What the requests carried that were given up; they may take effect all the same, until they are answered.
    var givenUp: [StoreRequestID: SHA256Digest] = [:]
    /// The slot whose COMPLETE of a one-part file has passed the checks and is not void.
    var pendingCompletion: Attachment?
    /// The request that drops an upload which may have been left beside the object; its record goes with it.
    var leftover: StoreRequestID?
    /// Since when no connection has been attached.
    var detachedAt: Instant?

    var id: SessionID { facts.session }
    var isOnePart: Bool { plan.isOnePart }

    init(device: AuthorisedDevice, facts: SessionRecordFacts, plan: PartPlan, compares: Bool) {
        self.device = device
        self.facts = facts
        self.plan = plan
        self.compares = compares
        self.writeGuard = WriteGuard(
            session: facts.session, condition: facts.terms.condition, plan: plan, compares: compares)
        self.phase = .new
    }

    // MARK: Beginning

    /// Called by the gateway once, for SESSION OPEN of a session that is not known here.
    mutating func beginOpening(_ context: inout GatewayContext) {
        ask(.lookingUp, &context)
    }

    /// Called by the gateway once, for RESUME QUERY of a session that is not known here.
    mutating func beginResuming(_ context: inout GatewayContext) {
        if isOnePart {
            ask(.lookingUp, &context)
        } else if let upload = facts.upload {
            ask(.listing(upload: upload), &context)
        } else {
            becomeOpen(&context)
        }
    }

    mutating func becomeOpen(_ context: inout GatewayContext) {
        phase = .open
        request = nil
        answerAllNowOpen(&context)
        decideWaitingParts(&context)
        if isOnePart { releaseIfComplete(&context) }
    }

    // MARK: Connections

    /// Called by the gateway when a slot turns to this session.
    mutating func attach(
        _ attachment: Attachment, asks question: AttachedSlot.Question, _ context: inout GatewayContext
    ) {
        attached.removeAll { $0.attachment == attachment }
        attached.append(AttachedSlot(attachment, asks: question))
        detachedAt = nil
        let index = attached.count - 1
        switch phase {
        case .open:
            answerNowOpen(index, &context)
        case .settled(let completed):
            answer(index, .completed(completed), &context)
        case .taken(let exists):
            answer(index, .sessionExists(exists), &context)
        case .completing:
            guard case .resume = question else { break }
            context.send(.resumeState(resumeState(.completing)), to: attachment)
            context.slotChanges.append(.open(attachment))  // The list of the query is not needed any more.
            expectOutcome(at: attachment, &context)
        case .aborting:
            answer(index, .sessionRefused(.aborted), &context)
        case .new, .opening, .searching, .ended:
            break
        }
    }

    /// Called by the gateway when a connection is gone: its parts wait for a while for the agent to come back.
    mutating func connectionLost(_ connection: ConnectionID, _ context: inout GatewayContext) {
        attached.removeAll { $0.attachment.connection == connection }
        if attached.isEmpty, detachedAt == nil { detachedAt = context.now }
        if pendingCompletion?.connection == connection { pendingCompletion = nil }
        for number in parts.keys.sorted() where parts[number]?.owner?.connection == connection {
            if let call = parts[number]?.connectionLost(now: context.now) {
                context.breaker.abandoned(call, now: context.now)
            } else {
                dropPart(number, &context)
            }
        }
    }

    /// Tells every attachment that waits for it that the session is open.
    mutating func answerAllNowOpen(_ context: inout GatewayContext) {
        for attachment in attached.map(\.attachment) {
            // An answer may close the slot, and so remove the attachment.
            guard let index = attached.firstIndex(where: { $0.attachment == attachment }) else { continue }
            answerNowOpen(index, &context)
        }
    }

    private mutating func answerNowOpen(_ index: Int, _ context: inout GatewayContext) {
        let attachment = attached[index].attachment
        guard let question = attached[index].question else { return }
        guard let token = context.token(for: facts, device: device) else {
            return answer(index, .sessionRefused(.defect("the gateway cannot seal a token")), &context)
        }
        let held = attached[index].answered()
        context.slotChanges.append(.open(attachment))
        switch question {
        case .open:
            let opened = SessionOpened(session: id, partBytes: plan.partBytes, token: token)
            context.send(.sessionOpened(opened), to: attachment)
        case .adopt:
            sendAdopted(token: token, to: index, &context)
        case .resume(let listed, let asksForPartials):
            sendResumeState(listed: listed, asksForPartials: asksForPartials, token: token, to: index, &context)
        }
        for decision in held { context.send(.partDecision(decision), to: attachment) }
        if pendingCompletion == attachment { expectOutcome(at: attachment, &context) }
    }

    /// The slot is completing.
    mutating func expectOutcome(at attachment: Attachment, _ context: inout GatewayContext) {
        guard let index = attached.firstIndex(where: { $0.attachment == attachment }) else { return }
        attached[index].completes()
        context.slotChanges.append(.completing(attachment))
    }

    /// Answers an attachment with the frame that closes its slot; the parts under way in the slot are dropped.
    mutating func answer(_ index: Int, _ frame: Frame, _ context: inout GatewayContext) {
        let attachment = attached[index].attachment
        let frame = withReceipt(frame, for: attachment, &context)
        leave(attachment, &context)
        context.send(frame, to: attachment)
        context.slotChanges.append(.closed(attachment, isFruitful: frame.tellsOfObject))
    }

    // MARK: Time

    /// The next moment at which `tick` has something to do.
    func nextDeadline(_ limits: GatewayLimits) -> Instant? {
        var deadlines = parts.values.compactMap { $0.nextDeadline(grace: limits.partGrace) }
        if let detachedAt, mayBeForgotten { deadlines.append(detachedAt + limits.sessionGrace) }
        if case .searching(let search) = phase, let at = search.looks.nextDeadline { deadlines.append(at) }
        if case .completing(let completion) = phase, let at = completion.nextDeadline { deadlines.append(at) }
        if case .aborting(let abort) = phase, let at = abort.nextDeadline { deadlines.append(at) }
        return deadlines.min()
    }

    /// Called by the gateway when `nextDeadline` has passed.
    mutating func tick(_ context: inout GatewayContext) {
        for number in parts.keys.sorted() {
            guard let deadline = parts[number]?.nextDeadline(grace: context.limits.partGrace) else { continue }
            if deadline <= context.now { dropPart(number, &context) }
        }
        if case .searching(let search) = phase, let at = search.looks.nextDeadline, at <= context.now {
            lookAgain(search, &context)
        }
        if case .completing(let completion) = phase, let at = completion.nextDeadline, at <= context.now {
            completeAgain(completion, &context)
        }
        if case .aborting(let abort) = phase, let at = abort.nextDeadline, at <= context.now {
            abortAgain(abort, &context)
        }
    }

    /// Whether nothing would be lost by forgetting the session: no connection, no bytes, nothing asked of the store.
    func isForgettable(_ limits: GatewayLimits, now: Instant) -> Bool {
        if phase == .ended { return true }
        guard let detachedAt, mayBeForgotten else { return false }
        return detachedAt + limits.sessionGrace <= now
    }

    /// Whether it has ended and is kept only for an agent that may ask again.
    var isOnlyRemembered: Bool {
        switch phase {
        case .settled, .taken: attached.isEmpty && parts.isEmpty && leftover == nil
        default: false
        }
    }

    /// The order in which remembered sessions give way; the id makes it one order everywhere.
    static func isOlder(_ left: GatewaySession, _ right: GatewaySession) -> Bool {
        let never = Instant(nanoseconds: .max)
        return (left.detachedAt ?? never, left.id.high, left.id.low)
            < (right.detachedAt ?? never, right.id.high, right.id.low)
    }

    /// Whether nothing is asked of the store, and no bytes are held: what is under way ends by itself first.
    private var mayBeForgotten: Bool {
        switch phase {
        case .open, .settled, .taken: parts.isEmpty && leftover == nil && (isOnePart || givenUp.isEmpty)
        default: false
        }
    }
}

extension SessionRefused {
    /// - Parameter message: what was wrong, for people; never empty.
    init(_ code: ErrorCode, retryAfter: Duration = .zero, message: String) {
        self.init(code: code, retryAfterMilliseconds: retryAfter.wireMilliseconds, message: message)
    }

    var asSessionError: ErrorReport {
        ErrorReport(
            scope: .session, code: code, retryAfterMilliseconds: retryAfterMilliseconds, message: message)
    }

    /// Something that cannot be is our own fault.
    static func defect(_ message: String) -> SessionRefused { SessionRefused(.internal, message: message) }

    static let aborted = SessionRefused(.superseded, message: "the session was aborted")
}

extension GatewaySession {
    /// Whether another session may give way to it: it is neither carried by a slot, nor at work, nor at its end
    /// (specification §8.3).
    var isAdoptable: Bool { phase == .open && attached.isEmpty }

    /// Whether stopping now would cut something short that is worth waiting for.
    var isBusy: Bool {
        switch phase {
        case .new, .ended, .settled, .taken: false
        case .open: parts.values.contains { !$0.isUndecided && $0.owner != nil }
        default: true
        }
    }
}
