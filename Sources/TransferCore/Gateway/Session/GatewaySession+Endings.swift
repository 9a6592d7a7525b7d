import TransferCommon
import WireProtocol

// How a session ends: it is completed, refused or lost, or the key holds an object that it may not replace.

extension GatewaySession {
    /// The store has the object: every slot is answered, and the record is removed.
    ///
    /// - Parameters:
    ///   - bytes: the size of the object. For a stream, only this shows the size.
    ///   - leavesUpload: the object may have been made by another upload, so the session's own upload may be left in
    ///     the store. The session drops this upload, and then its record. If that fails, the store's cleaning finds
    ///     both.
    mutating func settle(
        _ receipt: StoreReceipt, bytes size: UInt64, leavesUpload: Bool = false, _ context: inout GatewayContext
    ) {
        let completed = Completed(
            size: size, evidence: receipt.evidence, partBytes: plan.partBytes, etag: receipt.etag,
            version: receipt.version, location: location)
        dropAllParts(&context)
        request = nil
        phase = .settled(completed, isVerified: receipt.isVerified)
        for attachment in attached.attachments { answer(attachment, .completed(completed), &context) }
        attached.ended(now: context.now)
        if leavesUpload {
            dropLeftover(&context)
        } else if !isOnePart {
            removeRecord(&context)
        }
        stored = StoredParts()
        context.actions.append(.note(.completed(id, key: facts.key, bytes: size)))
    }

    /// The key without the device's prefix. The prefix is cut off by bytes, because one character can contain the last
    /// byte of the prefix and the first of the rest.
    private var location: String {
        String(decoding: facts.key.utf8.dropFirst(device.prefix.utf8.count), as: UTF8.self)
    }

    /// The session cannot continue: every slot gets the refusal, in the frame that the slot's state requires.
    mutating func fail(_ refusal: SessionRefused, _ context: inout GatewayContext) {
        let refusal = context.advised(refusal)
        dropAllParts(&context)
        request = nil
        while let first = attached.first {
            if case .resume = first.question, refusal.code == .sessionLost {
                answer(first.attachment, .resumeState(resumeState(.lost)), &context)
            } else {
                answer(first.attachment, first.refusing(refusal), &context)
            }
        }
        phase = .ended
        context.actions.append(.note(.failed(id, key: facts.key, refusal.code)))
    }

    /// The key holds an object that the session may not replace, or that the agent compares with the file first. Every
    /// slot is answered, and the session's upload is dropped.
    mutating func answerExisting(_ object: ObjectFacts, _ context: inout GatewayContext) {
        let exists = SessionExists(
            size: object.size, partBytes: object.partBytes, evidence: object.evidence, etag: object.etag,
            version: object.version, session: object.session)
        dropAllParts(&context)
        request = nil
        stored = StoredParts()
        phase = facts.upload == nil ? .ended : .taken(exists)
        for attachment in attached.attachments { answer(attachment, .sessionExists(exists), &context) }
        attached.ended(now: context.now)
        dropLeftover(&context)
        guard !writeGuard.agentCompares(with: object) else { return }
        context.actions.append(.note(.failed(id, key: facts.key, .keyTaken)))
    }

    /// Drops the upload of a session that has ended without using it, and then its record. If that fails, the store's
    /// cleaning finds both.
    private mutating func dropLeftover(_ context: inout GatewayContext) {
        guard let upload = facts.upload else { return }
        leftover.drops(context.request(.abort(key: facts.key, upload: upload), for: id))
    }

    mutating func becomeLost(_ context: inout GatewayContext) {
        if !isOnePart { removeRecord(&context) }
        context.actions.append(.note(.lost(id, key: facts.key)))
        fail(
            SessionRefused(.sessionLost, message: "the store has neither the upload nor an object of this session"),
            &context)
    }

    func removeRecord(_ context: inout GatewayContext) {
        _ = context.request(.removeRecord(key: facts.key, session: id), for: id)
    }
}
