import WireProtocol

// What is done next: connections made, errands run, parts read, chunks sent. Called after every event.

extension Agent {
    mutating func proceed() {
        guard verdict == nil else { return }
        connectWhereDue()
        for id in order {
            guard var upload = uploads[id] else { continue }
            while upload.runErrand(&context) {}
            if upload.phase == .transferring { upload.joinConnections(&context) }
            upload.offerReadyParts(&context)
            takeUpParts(of: &upload)
            uploads[id] = upload
        }
        for id in context.connections.keys.sorted() { sendChunks(on: id) }
        closeWhereDone()
    }

    private mutating func connectWhereDue() {
        guard !uploads.isEmpty else { return }
        for id in context.connections.keys.sorted() {
            guard case .away(let until) = context.connections[id]?.phase, until <= context.now else { continue }
            let deadline = context.now + context.limits.connectLimit
            context.connections[id]?.phase = .connecting(deadline: deadline)
            context.actions.append(.connect(id))
        }
    }

    private mutating func takeUpParts(of upload: inout AgentUpload) {
        if upload.isSmall(context) {
            while upload.takeUpPart(&context) {}
        } else {
            while context.partsUnderWay < context.limits.concurrency, upload.takeUpPart(&context) {}
        }
    }

    /// Chunks of the parts on a connection, in turn, until its socket has enough or nothing may go.
    private mutating func sendChunks(on id: ConnectionID) {
        guard let welcome = context.connections[id]?.welcome, welcome.chunkBytesMax > 0 else { return }
        var idleTurns = 0
        while let connection = context.connections[id], idleTurns < connection.carried.count,
            connection.queuedBytes < context.limits.queuedBytesMax
        {
            guard limiter.readyAt(now: context.now) <= context.now else { return }
            let next = connection.carried[0]
            let sendable = uploads[next.upload]?.sendable(next.part, on: id, context) ?? 0
            let bytes = min(sendable, connection.chunkBytes(context.limits))
            context.connections[id]?.carried.removeFirst()
            context.connections[id]?.carried.append(next)
            guard bytes > 0 else {
                idleTurns += 1
                continue
            }
            idleTurns = 0
            uploads[next.upload]?.sendChunk(next.part, bytes: bytes, &context)
            // With a rate limit the next chunk waits until this one's size on the wire is known.
            if limiter.bytesPerSecond != nil { limiter.spent(0, now: context.now) }
            if context.limits.bytesPerSecond != nil, (context.connections[id]?.queuedBytes ?? 0) > 0 { return }
        }
    }

    /// A connection that was told to go away is closed when nothing is under way on it.
    private mutating func closeWhereDone() {
        for id in context.connections.keys.sorted() {
            guard case .leaving = context.connections[id]?.phase else { continue }
            let isUsed = uploads.values.contains { $0.isWorking(on: id) }
            guard !isUsed else { continue }
            context.actions.append(.close(id))
            for upload in order { uploads[upload]?.connectionLost(id, &context) }
            context.connections[id] = nil
        }
    }
}

extension AgentUpload {
    /// Joins further connections to a session that has more than one part to send.
    mutating func joinConnections(_ context: inout AgentContext) {
        guard context.limits.connections > 1, !token.isEmpty, let plan, !plan.isOnePart, hasUnsentParts else { return }
        let taken = Set(links.map(\.attachment.connection))
        guard let connection = context.leastUsedConnection(excluding: taken),
            let slot = context.connections[connection]?.takeSlot(for: id)
        else { return }
        let attachment = Attachment(connection: connection, slot: slot)
        links.append(Link(attachment: attachment, stage: .resuming))
        sendResumeQuery(to: attachment, joining: true, &context)
    }

    private var hasUnsentParts: Bool {
        guard let count = plan?.partCount else { return false }
        return !pending.isEmpty || nextFresh <= count
            || parts.values.contains {
                if case .ready = $0.stage { true } else { false }
            }
    }

    /// Whether an answer or a part is still awaited on a connection.
    func isWorking(on connection: ConnectionID) -> Bool {
        links.contains { $0.attachment.connection == connection && $0.stage != .open }
            || parts.values.contains { $0.attachment?.connection == connection }
    }

    /// Whether the shell is reading for it; that is progress which only the shell sees.
    var isReading: Bool {
        switch phase {
        case .comparing, .rechecking: true
        case .verifying(let verification): !verification.beingRead.isEmpty
        default: parts.values.contains { $0.stage == .reading }
        }
    }

    var nextDeadline: Instant? {
        if case .waiting(_, let until) = phase { return until }
        return parts.values.compactMap {
            if case .ready(let notBefore) = $0.stage { notBefore } else { nil }
        }.min()
    }

    /// Parts offered in a slot that has been closed wait to be offered in another.
    mutating func interruptParts(at attachment: Attachment, _ context: inout AgentContext) {
        guard parts.values.contains(where: { $0.attachment == attachment }) else { return }
        interruptParts(on: attachment.connection, &context)
    }

    /// Ends with everything kept.
    mutating func giveUp(_ failure: UploadFailure, _ context: inout AgentContext) {
        switch phase {
        case .ending, .ended: break
        default: end(.failed(failure), &context)
        }
    }

    /// The user drops it while it is under way.
    mutating func dropNow(_ context: inout AgentContext) {
        switch phase {
        case .ending, .ended, .aborting: break
        default: drop(&context)
        }
    }
}

extension Frame {
    /// Whether the slot it arrives in is closed by it (specification §6.1).
    var closesSlot: Bool {
        switch self {
        case .sessionExists, .sessionRefused, .completed, .aborted: true
        case .sessionOpened(let opened): opened.isAdopted
        case .resumeState(let state): state.phase == .lost
        case .error(let report): report.scope == .session
        default: false
        }
    }
}
