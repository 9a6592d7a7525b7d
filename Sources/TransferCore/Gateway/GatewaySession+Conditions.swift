import TransferCommon
import WireProtocol

// The write condition (specification §6.3): which object the session may replace, and how the store is told.

/// What the key held when the store was asked last.
enum KeyView: Hashable {
    /// It was not asked.
    case unknown
    case absent
    /// - Parameter etag: empty where the store tells none.
    case object(etag: String)

    init(_ object: ObjectFacts?) {
        self = object.map { .object(etag: $0.etag) } ?? .absent
    }
}

extension GatewaySession {
    /// Decides, for every look at the key, what the object there means to the session. The session ends if the object
    /// is its own, if it must not be replaced, or if the agent wants to compare with it before anything is sent.
    ///
    /// - Parameters:
    ///   - content: evidence of what the session's own object holds; `.none` while that is not known.
    ///   - isUploadGone: the store has said that it does not know the session's upload.
    /// - Returns: whether the session has ended.
    mutating func ends(
        with object: ObjectFacts?, content: ContentEvidence = .none, isUploadGone: Bool = false,
        _ context: inout GatewayContext
    ) -> Bool {
        if let object, isOwn(object, content) {
            // An object without a session id may be of another upload.
            let leavesUpload = object.session == nil && !isUploadGone
            let receipt = object.receipt(partBytes: plan.partBytes)
            settle(receipt, bytes: object.size, leavesUpload: leavesUpload, &context)
            return true
        }
        seen = KeyView(object)
        objectSession = object?.session
        guard let object, !mayReplace(object) || isToBeCompared(object) else { return false }
        answerExisting(object, &context)
        return true
    }

    /// Whether the bytes of an object of the file's size decide what the session does next: where its metadata do not
    /// tell whose it is, where they name this session, and where the agent compares.
    func needsContent(of object: ObjectFacts) -> Bool {
        guard object.size == plan.fileBytes, object.evidence == .none else { return false }
        return object.session == nil || object.session == id || compares
    }

    /// Whether the session still waits for the answer to a look at the key.
    func awaitsLook(_ request: StoreRequestID) -> Bool {
        self.request == request || parts.values.contains { $0.tail == .looking(request) }
    }

    /// Whether the session has only looked at the key so far, and no agent waits for it. An agent opens a session of
    /// several parts anew under another id, so this one comes to nothing.
    var isLookAbandoned: Bool { phase == .opening(.lookingUp) && attached.isEmpty && !isOnePart }

    /// Whether an object is this session's: by its session id, or by its content if it has no session id.
    private func isOwn(_ object: ObjectFacts, _ content: ContentEvidence) -> Bool {
        guard plan.fileBytes == nil || object.size == plan.fileBytes else { return false }
        let isSameContent: Bool? =
            switch (object.evidence, content) {
            case (.root(let there), .root(let own)) where object.partBytes == plan.partBytes: there == own
            case (.wholeDigest(let there), .wholeDigest(let own)): there == own
            default: nil
            }
        // An agent with the same identity may have completed this very session with other content.
        guard isSameContent != false else { return false }
        return object.session.map { $0 == id } ?? (isSameContent == true)
    }

    /// Whether the session's condition lets it replace an object that is another's.
    private func mayReplace(_ object: ObjectFacts) -> Bool {
        switch facts.terms.condition {
        case .any: true
        case .absent: false
        case .matches(let session): object.session == session
        }
    }

    /// Whether the agent compares with an object before anything is sent, although the object may be replaced.
    private func isToBeCompared(_ object: ObjectFacts) -> Bool {
        phase == .opening(.lookingUp) && compares && object.size == plan.fileBytes
    }

    /// Whether the object may be the agent's file already, or its beginning: the agent reads the file to find out, and
    /// SESSION EXISTS is not a failure yet.
    func agentCompares(with object: ObjectFacts) -> Bool {
        compares && plan.fileBytes.map { object.size <= $0 } ?? false
    }

    /// What the store is asked to check when it writes the object. After a look-up it is what the look-up saw, so that
    /// a request that arrives late cannot replace a newer object.
    var putCondition: PutCondition {
        switch (facts.terms.condition, seen) {
        case (.absent, _), (_, .absent): .ifAbsent
        case (_, .object(let etag)) where !etag.isEmpty: .ifMatch(etag: etag)
        case (_, .object), (_, .unknown): .none
        }
    }

    /// Whether the store would replace an object that the session may not replace, so that the gateway has to look
    /// right before the write.
    ///
    /// - Parameter condition: what the request asks the store to check.
    func mustLookBefore(_ request: CheckedConditions.Request, with condition: PutCondition) -> Bool {
        guard facts.terms.condition != .any else { return false }
        return condition == .none || !request.check(condition)
    }
}
