package import TransferCommon
package import WireProtocol

/// What the key of a session holds, as far as the session has looked, and which object the session may replace
/// (specification §6.3).
///
///     from     event                          to
///     unknown  a look finds nothing           absent
///     unknown  a look finds an object         object
///     absent   a look finds an object         object
///     object   a look finds nothing           absent
///     object   a look finds another object    object
///
/// - A look that finds the session's own object, or one that the session may not replace, ends the session.
/// - After a look the store is asked to check for what the look saw, so that a request that arrives late cannot replace
///   a newer object.
package struct WriteGuard: Hashable, Sendable {
    /// What the key held at the last look; the states of the table above.
    package enum View: Hashable, Sendable {
        case unknown
        case absent
        /// - etag: empty if the store tells none.
        /// - session: the session that made the object, if the store keeps it.
        case object(etag: String, session: SessionID?)
    }

    /// What a look means to the session.
    package enum OnLook: Hashable, Sendable {
        /// The object is the session's: it is complete.
        ///
        /// - leavesUpload: the object may be of another upload, so that the session's own is left beside it.
        case own(leavesUpload: Bool)
        /// The session may not replace the object, or the agent compares with it first.
        case exists
        /// Nothing under the key stands in the way.
        case free
    }

    /// The session whose key this is.
    package let session: SessionID
    private let condition: WriteCondition
    private let plan: PartPlan
    /// The agent compares with an object of the file's size before it sends anything.
    private let compares: Bool
    package private(set) var view = View.unknown

    /// A session whose key was not looked up yet.
    package init(session: SessionID, condition: WriteCondition, plan: PartPlan, compares: Bool) {
        self.session = session
        self.condition = condition
        self.plan = plan
        self.compares = compares
    }

    // MARK: Looks

    /// The store has looked up the key.
    ///
    /// - Parameters:
    ///   - content: what the session's own object holds; `.none` while that is not known.
    ///   - isUploadGone: the store has said that it does not know the session's upload.
    ///   - isFirst: nothing was sent yet, so that the agent may compare.
    package mutating func looked(
        _ object: ObjectFacts?, content: ContentEvidence, isUploadGone: Bool, isFirst: Bool
    ) -> OnLook {
        // An object without a session id may be of another upload.
        if let object, isOwn(object, content) {
            return .own(leavesUpload: object.session == nil && !isUploadGone)
        }
        view = object.map { .object(etag: $0.etag, session: $0.session) } ?? .absent
        guard let object else { return .free }
        let isCompared = isFirst && compares && object.size == plan.fileBytes
        return mayReplace(object) && !isCompared ? .free : .exists
    }

    /// This session takes the place of one that has looked up the same key.
    package mutating func inherit(_ other: WriteGuard) {
        view = other.view
    }

    /// Whether the bytes of an object of the file's size decide what the session does next: if its metadata do not name
    /// its session, if they name this session, and if the agent compares.
    package func needsContent(of object: ObjectFacts) -> Bool {
        guard object.size == plan.fileBytes, object.evidence == .none else { return false }
        return object.session == nil || object.session == session || compares
    }

    /// Whether the object may be the agent's file already, or its beginning: the agent reads the file to find out, and
    /// SESSION EXISTS is no failure yet.
    package func agentCompares(with object: ObjectFacts) -> Bool {
        compares && plan.fileBytes.map { object.size <= $0 } ?? false
    }

    /// The session that made the object under the key, as far as that is known.
    package var objectSession: SessionID? {
        guard case .object(_, let session) = view else { return nil }
        return session
    }

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
        return object.session.map { $0 == session } ?? (isSameContent == true)
    }

    private func mayReplace(_ object: ObjectFacts) -> Bool {
        switch condition {
        case .any: true
        case .absent: false
        case .matches(let session): object.session == session
        }
    }

    // MARK: Writes

    /// What the store is asked to check when it writes the object.
    package var putCondition: PutCondition {
        switch (condition, view) {
        case (.absent, _), (_, .absent): .ifAbsent
        case (_, .object(let etag, _)) where !etag.isEmpty: .ifMatch(etag: etag)
        case (_, .object), (_, .unknown): .none
        }
    }

    /// Whether the session must know what it replaces, and has not looked.
    package var isBlind: Bool { condition != .absent && view == .unknown }

    /// Whether the store would replace an object that the session may not replace, so that the gateway looks up the key
    /// right before the write.
    ///
    /// - Parameters:
    ///   - request: what the store checks with such a request.
    ///   - asked: what the request asks the store to check.
    package func mustLook(before request: CheckedConditions.Request, asking asked: PutCondition) -> Bool {
        guard condition != .any else { return false }
        return asked == .none || !request.check(asked)
    }
}
