import TransferCommon
import WireProtocol

/// A slot that carries a session, as the gateway sees it.
struct SessionSlot: Hashable {
    /// The state of the slot. `SlotState` has the frames that change it.
    enum Stage: Hashable {
        case opening
        /// RESUME QUERY has arrived, and its list is still arriving. The query may ask for the gateway's partials.
        case listing(token: SessionToken, asksForPartials: Bool)
        case resuming
        case open
        case completing
        case aborting

        var state: SlotState {
            switch self {
            case .opening: .opening
            case .listing: .listing
            case .resuming: .resuming
            case .open: .open
            case .completing: .completing
            case .aborting: .aborting
            }
        }
    }

    /// What the gateway does after a page of PART LIST, or instead of waiting for one.
    enum OnList: Hashable {
        case wait
        /// The gateway ends the connection.
        case violation(Violation)
        /// The gateway refuses the slot, which then closes.
        case refused(SessionRefused)
        /// The gateway refuses the completion for now: the agent resumes later and lists again.
        case deferred(SessionRefused)
        /// RESUME QUERY and all pages of its list have arrived.
        case listed(SessionToken, asksForPartials: Bool)
    }

    var session: SessionID
    var stage: Stage
    var list = ListIntake()

    /// Whether the slot holds budget for a list and waits for the agent's next page, or for COMPLETE.
    var awaitsList: Bool {
        if case .listing = stage { return true }
        return stage == .open && !list.entries.isEmpty
    }

    /// Reserves the budget for a page of PART LIST, and keeps the page. The session has several parts.
    mutating func received(_ page: PartList, of device: SHA256Digest, _ context: inout GatewayContext) -> OnList {
        switch list.judge(page, partsMax: context.limits(of: device).grantedParts.partsMax) {
        case .violation(let message):
            return .violation(Violation(code: .badValue, message: message))
        case .unordered:
            let message = "the parts do not ascend from page to page"
            return .refused(SessionRefused(.listInvalid, message: message))
        case .fits(let excess):
            return keep(page, excess: excess, of: device, &context)
        }
    }

    private mutating func keep(
        _ page: PartList, excess: UInt64, of device: SHA256Digest, _ context: inout GatewayContext
    ) -> OnList {
        let isReserved = excess == 0 || context.reserve(excess, device: device)
        switch stage {
        case .listing(let token, let asksForPartials):
            guard isReserved else { return .refused(.noRoom(context.limits)) }
            list.append(page, reserved: excess)
            return page.isLast ? .listed(token, asksForPartials: asksForPartials) : .wait
        case .open:
            guard isReserved else {
                return .deferred(.busy("the gateway has no room for the list now", context.limits))
            }
            list.append(page, reserved: excess)
            return .wait
        case .opening, .resuming, .completing, .aborting:
            return .wait  // `SlotState` accepts no page of PART LIST in these stages.
        }
    }

    /// Evicts a list that holds budget, while neither its next page nor COMPLETE arrives. The agent tries again later.
    func evictedList(_ limits: GatewayLimits) -> OnList {
        if case .listing = stage { return .refused(.busy("the announced list of parts did not come in time", limits)) }
        return .deferred(.busy("the list of parts or COMPLETE did not come in time", limits))
    }
}

extension SessionRefused {
    /// The refusal for want of room for a session or a list. The agent tries again after a short wait.
    static func noRoom(_ limits: GatewayLimits) -> SessionRefused { busy("the gateway has no room for it now", limits) }

    /// A refusal after which the agent tries again, after a short wait.
    static func busy(_ message: String, _ limits: GatewayLimits) -> SessionRefused {
        SessionRefused(.busy, retryAfter: limits.laterAdvice, message: message)
    }
}
