import TransferCommon
import WireProtocol

/// The sessions that the gateway remembers, and when each of them has something to do.
///
/// - A session that has ended is remembered for a while, for an agent that has not received the answer. If room is
///   needed for new sessions, the oldest remembered ones are forgotten: the store still has the object.
/// - A wake stays in the queue until it is due. It then counts only if it equals the session's entry in `planned`: the
///   table may have planned an earlier wake since, or the session may have ended.
struct SessionTable: Hashable {
    private var sessions: [SessionID: GatewaySession] = [:]
    private var counts = Tally<SHA256Digest>()
    private var wakes = Heap<SessionWake>()
    private var planned: [SessionID: Instant] = [:]

    /// The session with this id, which can be changed in place. Only methods of the table add or remove sessions.
    subscript(id: SessionID) -> GatewaySession? {
        get { sessions[id] }
        _modify { yield &sessions[id] }
    }

    var count: Int { sessions.count }
    var unfinishedCount: Int { sessions.values.count { !$0.phase.isRemembered } }
    /// How many offered parts all sessions have. A part counts until the store answers or the gateway gives it up.
    var partCount: Int { sessions.values.reduce(0) { $0 + $1.parts.count } }
    /// Whether a stopping gateway waits for a session.
    var isBusy: Bool { sessions.values.contains { $0.isBusy } }

    /// For each session, its device and the bytes of the budget that its parts hold.
    var bytesReserved: [(device: SHA256Digest, bytes: UInt64)] {
        sessions.values.flatMap { session in
            let memory = session.intake.memory
            let table = memory.table.map { ($0.device, session.intake.parts.stored.memoryBytes) }
            let list = session.phase.work?.isOfComplete == true ? memory.list.map { ($0.device, $0.bytes) } : nil
            return [(session.device.fingerprint, session.parts.bytesReserved)] + [table, list].compactMap { $0 }
        }
    }

    func count(of device: SHA256Digest) -> Int { counts[device] }

    private mutating func add(_ session: GatewaySession) {
        sessions[session.id] = session
        counts.add(session.device.fingerprint)
    }

    private mutating func remove(_ session: GatewaySession, _ context: inout GatewayContext) {
        var memory = session.intake.memory
        memory.settle(tableBytes: 0, keepsList: false, &context.reservations)
        sessions[session.id] = nil
        planned[session.id] = nil
        counts.remove(session.device.fingerprint)
    }

    // MARK: Beginning

    /// Judges SESSION OPEN, and makes the session if it is unknown; `nil` if a slot may be attached to it.
    mutating func open(
        _ open: SessionOpen, by device: AuthorisedDevice, _ context: inout GatewayContext
    ) -> SessionRefused? {
        let facts: SessionRecord
        let plan: PartPlan
        switch Self.rule(for: device, context).judge(open) {
        case .agreed(let agreed, let cut): (facts, plan) = (agreed, cut)
        case .refused(let refusal): return refusal
        }
        if let known = sessions[open.session] {
            guard known.device.name == device.name, known.facts.terms == facts.terms else {
                return SessionRefused(.superseded, message: "the session has other terms, or is another device's")
            }
            changeDevice(of: open.session, to: device, &context)
            return renewTable(of: open.session, &context) ? nil : .noRoom(context.limits)
        }
        if let refusal = context.breaker.openingRefusal(now: context.now) {
            let message = refusal.cause == .full ? "the store is full" : "the store is not available"
            return SessionRefused(refusal.cause.code, retryAfter: refusal.retryAfter, message: message)
        }
        guard makeRoom(for: device, &context), let memory = reserveTable(for: plan, of: device, &context) else {
            return .noRoom(context.limits)
        }
        add(GatewaySession(device: device, facts: facts, plan: plan, compares: open.compares, memory: memory))
        return nil
    }

    /// Unseals a token, and judges whether the device may use the session of the token.
    func judge(token sealed: [UInt8], of device: AuthorisedDevice, _ context: GatewayContext) -> OpeningRule.OnToken {
        let opening = context.cryptography.open(token: sealed)
        return Self.rule(for: device, context).judge(opening) { sessions[$0]?.device.name }
    }

    /// Makes the session of a token, if it is unknown; returns whether the gateway has the session. A session that is
    /// only aborted (`isForAbort`) needs no table of stored parts.
    mutating func restore(
        _ token: SessionToken, of device: AuthorisedDevice, isForAbort: Bool, _ context: inout GatewayContext
    ) -> Bool {
        guard sessions[token.session] == nil else {
            changeDevice(of: token.session, to: device, &context)
            return isForAbort || renewTable(of: token.session, &context)
        }
        guard makeRoom(for: device, &context),
            let plan = PartPlan(fileBytes: token.terms.size, partBytes: token.terms.partBytes),
            let memory = isForAbort ? SessionMemory() : reserveTable(for: plan, of: device, &context)
        else { return false }
        let facts = SessionRecord(
            device: device.name, session: token.session, terms: token.terms,
            upload: token.upload.isEmpty ? nil : token.upload)
        // `compares` is false because only SESSION OPEN can announce that the agent compares.
        add(GatewaySession(device: device, facts: facts, plan: plan, compares: false, memory: memory))
        return true
    }

    /// Attaches a slot to a session. A new session begins with its first slot.
    mutating func attach(
        _ attachment: Attachment, to id: SessionID, asks question: AttachedSlot.Question,
        _ context: inout GatewayContext
    ) {
        let isNew = sessions[id]?.phase == .new
        sessions[id]?.attach(attachment, asks: question, &context)
        guard isNew else { return }
        switch question {
        case .open, .adopt: sessions[id]?.beginOpening(&context)
        case .resume: sessions[id]?.beginResuming(&context)
        }
    }

    /// Passes COMPLETE to the session. If the session completes its upload with the list, the memory of the list is
    /// the session's from now on. `list` is `nil` if its last page is missing.
    mutating func receivedComplete(
        _ complete: Complete, list: CompleteList?, of id: SessionID, from attachment: Attachment,
        _ context: inout GatewayContext
    ) {
        let hadList = sessions[id]?.intake.memory.list != nil
        sessions[id]?.receivedComplete(complete, list: list?.entries, from: attachment, &context)
        guard let list else { return }
        if !hadList, sessions[id]?.phase.work?.isOfComplete == true {
            sessions[id]?.intake.memory.takes(list.memory)
        } else {
            context.reservations.release(list.memory)
        }
    }

    /// Passes ABORT to the session. If the store is completing the upload, its call holds the list until it is
    /// answered.
    mutating func receivedAbort(of id: SessionID, from attachment: Attachment, _ context: inout GatewayContext) {
        let request = sessions[id]?.phase.completeRequest
        sessions[id]?.receivedAbort(from: attachment, &context)
        guard let request, context.requestOwners[request] != nil else { return }
        sessions[id]?.intake.memory.leaveList(to: request, &context.reservations)
    }

    private mutating func changeDevice(
        of id: SessionID, to device: AuthorisedDevice, _ context: inout GatewayContext
    ) {
        guard let known = sessions[id]?.device, known != device else { return }
        sessions[id]?.changeDevice(to: device, &context)
        sessions[id]?.intake.memory.moveTable(to: device.fingerprint, &context)
        counts.remove(known.fingerprint)
        counts.add(device.fingerprint)
    }

    private static func rule(for device: AuthorisedDevice, _ context: GatewayContext) -> OpeningRule {
        OpeningRule(device: device, parts: context.limits(of: device.fingerprint).grantedParts)
    }

    /// - Returns: whether the device may begin a session.
    private mutating func makeRoom(for device: AuthorisedDevice, _ context: inout GatewayContext) -> Bool {
        let device = device.fingerprint
        let perDeviceMax = context.limits(of: device).sessionsPerDeviceMax
        func hasOwnRoom() -> Bool { counts[device] < perDeviceMax }
        func hasRoom() -> Bool { sessions.count < context.limits.sessionsMax && hasOwnRoom() }
        guard !hasRoom() else { return true }
        let isDeviceFull = !hasOwnRoom()
        let remembered = sessions.values.filter { session in
            session.isOnlyRemembered && (!isDeviceFull || session.device.fingerprint == device)
        }
        // Forgets half of the remembered sessions at once, so that this search is not repeated for every new file.
        for session in remembered.sorted(by: Self.isOlder).prefix((remembered.count + 1) / 2) {
            remove(session, &context)
        }
        return hasRoom()
    }

    /// The sessions that have a table of stored parts.
    var sessionsWithTable: [GatewaySession] { sessions.values.filter { $0.intake.memory.table != nil } }

    /// Forgets a session whose memory is needed for another one.
    mutating func forget(_ id: SessionID, _ context: inout GatewayContext) {
        if let session = sessions[id] { remove(session, &context) }
    }

    /// The order in which sessions are forgotten when room is needed. The id decides between equals, so that the order
    /// is always the same.
    static func isOlder(_ left: GatewaySession, _ right: GatewaySession) -> Bool {
        let never = Instant(nanoseconds: .max)
        return (left.attached.detachedAt ?? never, left.id) < (right.attached.detachedAt ?? never, right.id)
    }

    /// Called after each event: frees memory that the session no longer needs, and forgets it or plans its next wake.
    mutating func tidy(_ id: SessionID, _ context: inout GatewayContext) {
        guard var session = sessions[id] else { return }
        let memory = session.intake.memory
        let completes = session.phase.work?.isOfComplete == true
        let tableBytes = session.intake.parts.stored.memoryBytes
        session.intake.memory.settle(tableBytes: tableBytes, keepsList: completes, &context.reservations)
        // A change in place allocates, and after most events there is nothing to free.
        if session.intake.memory != memory { sessions[id]?.intake.memory = session.intake.memory }
        guard !session.isForgettable(context.limits, now: context.now) else { return remove(session, &context) }
        guard let deadline = session.nextDeadline(context.limits) else { return }
        if let planned = planned[id], planned <= deadline { return }
        planned[id] = deadline
        wakes.push(SessionWake(at: deadline, session: id))
    }

    // MARK: Answers of the store

    /// Passes an answer of the store to a session.
    mutating func receivedAnswer(
        _ answer: StoreAnswer, to request: StoreRequestID, of id: SessionID, _ context: inout GatewayContext
    ) {
        var busy: Set<SessionID> = []
        if case .records(let records) = answer {
            busy = Set(records.map(\.session).filter { sessions[$0]?.isAdoptable == false })
        }
        sessions[id]?.receivedAnswer(answer, to: request, busy: busy, &context)
    }

    /// Called after each answer of the store. If an opening session has found an unfinished session whose upload the
    /// store lists, the unfinished one takes over its slots (specification §8.3). Returns it with these slots.
    mutating func adoptIfFound(
        by id: SessionID, _ context: inout GatewayContext
    ) -> (adopted: SessionID, slots: [Attachment])? {
        guard var session = sessions[id], let (record, listed) = session.found else { return nil }
        // No slot waits for the answer any more, so nothing is adopted.
        guard !session.attached.isEmpty else {
            remove(session, &context)
            return nil
        }
        let adopted = record.session
        // An agent may have resumed the unfinished session since the store was asked.
        guard sessions[adopted]?.isAdoptable != false,
            let plan = PartPlan(fileBytes: record.terms.size, partBytes: record.terms.partBytes)
        else {
            sessions[id]?.passOver(&context)
            return nil
        }
        // Both sessions have the same terms, so the table of one has room for the parts of the other.
        let hasTable = sessions[adopted].map { $0.phase != .new || $0.intake.memory.table != nil } ?? false
        let memory = hasTable ? SessionMemory() : session.intake.memory.takeTable()
        remove(session, &context)
        if sessions[adopted] != nil, !hasTable { sessions[adopted]?.intake.beginAgain(memory) }
        if sessions[adopted] == nil {
            let compares = session.target.writeGuard.compares
            add(GatewaySession(device: session.device, facts: record, plan: plan, compares: compares, memory: memory))
        }
        // The known session may have begun under an earlier key of the device.
        changeDevice(of: adopted, to: session.device, &context)
        sessions[adopted]?.adoptSlots(of: session, listed: listed, &context)
        return (adopted, session.attached.attachments)
    }

    // MARK: Flows

    /// Counts bytes of a chunk from an open connection; returns whether they may be appended to their flow.
    mutating func receivedBytes(
        _ count: UInt64, flow: FlowID, from id: ConnectionID, _ context: inout GatewayContext
    ) -> Bool {
        guard let owner = context.flowOwners[flow] else { return false }
        return sessions[owner.session]?.intake
            .receivedBytes(count, of: owner.part, flow: flow, connection: id, &context) ?? false
    }

    /// Reports to the session of a flow that the call to the store has taken bytes of the flow.
    mutating func consumed(_ total: UInt64, flow: FlowID, _ context: inout GatewayContext) {
        guard let owner = context.flowOwners[flow] else { return }
        sessions[owner.session]?.intake.consumed(total, of: owner.part, flow: flow, &context)
    }

    // MARK: Progress

    /// Measures the parts that hold memory, at the end of a window of progress.
    mutating func measureParts(heldBytesMax: UInt64) -> [ProgressCheck.HeldPart] {
        sessions.values.filter { !$0.parts.isEmpty }.map(\.id).sorted().flatMap { id in
            guard let device = sessions[id]?.device.fingerprint else { return [ProgressCheck.HeldPart]() }
            return sessions[id]?.intake.parts.table
                .measure(session: id, device: device, heldBytesMax: heldBytesMax) ?? []
        }
    }

    /// Drops a part without progress.
    mutating func evict(_ part: ProgressCheck.HeldPart, _ context: inout GatewayContext) {
        sessions[part.session]?.evictPart(part.number, &context)
        tidy(part.session, &context)
    }

    // MARK: Time

    /// The earliest time at which a session may have something to do; `nil` if there is none.
    var nextDeadline: Instant? { wakes.first?.at }

    /// Takes the wakes that are due out of the queue. The caller passes each to `take`.
    mutating func takeDue(now: Instant) -> [SessionWake] {
        var due: [SessionWake] = []
        while let wake = wakes.first, wake.at <= now, let first = wakes.popFirst() { due.append(first) }
        return due
    }

    /// If the store has left the request of a part unanswered for too long, asks the agent to send the part again.
    mutating func repeatSlowPart(_ context: inout GatewayContext) {
        guard let slow = context.pace.takeSlow(now: context.now),
            case .session(let owner, _) = context.requestOwners[slow]
        else { return }
        sessions[owner]?.repeatSlowPart(slow, &context)
        tidy(owner, &context)
    }

    /// Takes a wake that is due; returns whether it still counts.
    mutating func take(_ wake: SessionWake) -> Bool {
        guard planned[wake.session] == wake.at else { return false }
        planned[wake.session] = nil
        return true
    }
}

/// When a session has something to do.
struct SessionWake: Hashable, Comparable {
    var at: Instant
    var session: SessionID

    static func < (left: SessionWake, right: SessionWake) -> Bool {
        (left.at, left.session) < (right.at, right.session)
    }
}
