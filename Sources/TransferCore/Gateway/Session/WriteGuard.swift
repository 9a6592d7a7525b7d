package import TransferCommon

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
/// - After a look, each write asks the store to check that the key still holds what the look found. So a request that
///   arrives late cannot replace a newer object.
package struct WriteGuard: Hashable, Sendable {
    /// What the key held when the session last looked it up.
    package enum View: Hashable, Sendable {
        case unknown
        case absent
        /// - etag: empty if the store names none.
        /// - session: the session that made the object, if the object's metadata name one.
        case object(etag: String, session: SessionID?)
    }

    /// What a look at the key means for the session.
    package enum OnLook: Hashable, Sendable {
        /// The object is the session's own: the session is complete. `leavesUpload`: whether another upload may have
        /// made the object, so that the session's own upload may be left in the store.
        case own(leavesUpload: Bool)
        /// The session may not replace the object, or the agent compares the file with the object first.
        case exists
        /// Nothing under the key prevents the session from writing.
        case free
    }

    /// The session for which the key is looked up.
    package let session: SessionID
    private let condition: WriteCondition
    private let plan: PartPlan
    /// Whether the agent compares the file with an object of the same size under the key, before it sends anything.
    package let compares: Bool
    package private(set) var view = View.unknown

    /// A session whose key was not looked up yet.
    package init(session: SessionID, condition: WriteCondition, plan: PartPlan, compares: Bool) {
        self.session = session
        self.condition = condition
        self.plan = plan
        self.compares = compares
    }

    // MARK: Looks

    /// Judges what a look at the key has found. `content`: evidence of the content that the session's own object would
    /// have; `.none` while it is not known. `isUploadGone`: the store does not know the upload. `isFirst`: the agent
    /// has sent no data yet, so it may still compare the file with the object.
    package mutating func looked(
        _ object: ObjectSummary?, content: ContentEvidence, isUploadGone: Bool, isFirst: Bool
    ) -> OnLook {
        // Another upload may have made an object without a session id. The session's own upload may then still exist.
        if let object, isOwn(object, content) {
            return .own(leavesUpload: object.session == nil && !isUploadGone)
        }
        view = object.map { .object(etag: $0.etag, session: $0.session) } ?? .absent
        guard let object else { return .free }
        let isCompared = isFirst && compares && object.size == plan.fileBytes
        return mayReplace(object) && !isCompared ? .free : .exists
    }

    /// Copies what an opening session, whose slots this session gets, has found under the same key.
    package mutating func inherit(_ other: WriteGuard) {
        view = other.view
    }

    /// Whether the session's next step depends on the bytes of the object. That is so if the object has the file's size
    /// and no evidence, and one of these holds: the object's metadata contain no session id, they contain the id of
    /// this session, or the agent compares the file with the object.
    package func needsContent(of object: ObjectSummary) -> Bool {
        guard object.size == plan.fileBytes, object.evidence == .none else { return false }
        return object.session == nil || object.session == session || compares
    }

    /// Whether the object may be the agent's file or its beginning, so that SESSION EXISTS is no failure.
    package func agentCompares(with object: ObjectSummary) -> Bool {
        compares && plan.fileBytes.map { object.size <= $0 } ?? false
    }

    /// The session that made the object under the key; `nil` if it is not known.
    package var objectSession: SessionID? {
        guard case .object(_, let session) = view else { return nil }
        return session
    }

    private func isOwn(_ object: ObjectSummary, _ content: ContentEvidence) -> Bool {
        guard plan.fileBytes == nil || object.size == plan.fileBytes else { return false }
        let isSameContent: Bool? =
            switch (object.evidence, content) {
            case (.root(let there), .root(let own)) where object.partBytes == plan.partBytes: there == own
            case (.wholeDigest(let there), .wholeDigest(let own)): there == own
            default: nil
            }
        // The session id alone is not enough: an agent with the same identity may have completed this session with
        // other content.
        guard isSameContent != false else { return false }
        return object.session.map { $0 == session } ?? (isSameContent == true)
    }

    private func mayReplace(_ object: ObjectSummary) -> Bool {
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

    /// Whether the session has to know which object it replaces, but has not looked up the key yet.
    package var isBlind: Bool { condition != .absent && view == .unknown }

    /// Whether the gateway has to look up the key right before the write, because the store's own check of `asked`
    /// does not protect an object that the session may not replace. `request`: the conditions that the store checks
    /// for this kind of request.
    package func mustLook(before request: CheckedConditions.Request, asking asked: PutCondition) -> Bool {
        guard condition != .any else { return false }
        return asked == .none || !request.check(asked)
    }
}
