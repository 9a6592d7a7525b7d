package import TransferCommon

/// What gateways know of a session.
///
///     from       event                                                       to
///     none       a gateway has named its limits, and an id is chosen         chosen
///     none       the journal has a session that cannot be continued          opened
///     none       the journal has a session that is continued                 completed
///     chosen     SESSION OPEN is sent                                        opened
///     opened     COMPLETE of several parts is sent                           completed
///     opened     no gateway gave a token, and another id is chosen           chosen
///     opened     a gateway opens another session instead (adoption)          completed
///     any        the session is dropped                                      none
///
/// The journal does not record whether COMPLETE was sent, so a session that an earlier run began may be completed.
package enum SessionStanding: Hashable, Sendable {
    /// No session has been chosen, because no gateway has named its limits in WELCOME.
    case none
    /// The session has an id, and no gateway knows the session.
    case chosen(SessionID)
    /// A gateway may know the session, and may have begun an upload in the store for it.
    ///
    /// - token: the token with which the session is resumed; empty until a gateway has given one.
    case opened(SessionID, token: [UInt8])
    /// COMPLETE of several parts may have been sent, by this run or an earlier one.
    case completed(SessionID, token: [UInt8])
}

extension SessionStanding {
    /// The session's id; `nil` before it is chosen.
    package var id: SessionID? {
        switch self {
        case .none: nil
        case .chosen(let id), .opened(let id, _), .completed(let id, _): id
        }
    }

    /// The token with which the session is resumed; empty until a gateway has given one.
    package var token: [UInt8] {
        switch self {
        case .none, .chosen: []
        case .opened(_, let token), .completed(_, let token): token
        }
    }

    /// Whether a gateway may know the session.
    package var isKnown: Bool {
        switch self {
        case .none, .chosen: false
        case .opened, .completed: true
        }
    }

    /// Notes that SESSION OPEN is sent to a gateway.
    package mutating func opens() {
        if case .chosen(let id) = self { self = .opened(id, token: []) }
    }

    /// Keeps the token that a gateway has given.
    package mutating func take(_ token: [UInt8]) {
        switch self {
        case .none, .chosen: break
        case .opened(let id, _): self = .opened(id, token: token)
        case .completed(let id, _): self = .completed(id, token: token)
        }
    }

    /// Notes that COMPLETE of several parts is sent; returns whether it is certainly the session's first.
    package mutating func completes() -> Bool {
        guard case .opened(let id, let token) = self else { return false }
        self = .completed(id, token: token)
        return true
    }
}
