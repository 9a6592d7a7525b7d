import WireProtocol

// The write condition (specification §6.3): which object the session may replace, and how the store is told.

/// What the key held when the store was asked last.
enum KeyView: Equatable {
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
    /// Whether the session's condition lets it replace an object that is another's.
    func mayReplace(_ object: ObjectFacts) -> Bool {
        switch facts.terms.condition {
        case .any: true
        case .absent: false
        case .matches(let session): object.session == session
        }
    }

    /// Whether the agent is to compare with an object before anything is sent, though it may be replaced.
    func isToBeCompared(_ object: ObjectFacts) -> Bool { compares && object.size == plan.fileBytes }

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
    func mustLookBefore(_ request: CheckedConditions.Request) -> Bool {
        guard facts.terms.condition != .any else { return false }
        return putCondition == .none || !request.check(putCondition)
    }
}
