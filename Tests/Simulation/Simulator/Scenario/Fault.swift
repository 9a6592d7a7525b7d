package import TransferCore
package import TransferCoreSupport

/// A fault, or a user's action at an inconvenient moment.
package enum Fault: Equatable, Sendable {
    /// How an agent's process dies.
    package struct Death: Equatable, Sendable {
        package var leavesGateway = false
        package var landsCommit = false
        package var landsBytes = false
        /// Percentage of the unfinished journal transaction, and of the bytes in flight on each connection, that still
        /// takes effect. Below 100, only the beginning of the transaction and the first bytes take effect.
        package var landsPercent = 100
        package var downMilliseconds = 50

        package init(
            leavesGateway: Bool = false, landsCommit: Bool = false, landsBytes: Bool = false, landsPercent: Int = 100,
            downMilliseconds: Int = 50
        ) {
            self.leavesGateway = leavesGateway
            self.landsCommit = landsCommit
            self.landsBytes = landsBytes
            self.landsPercent = landsPercent
            self.downMilliseconds = downMilliseconds
        }
    }

    /// A change of a file by another program, without the agent's knowledge.
    package enum FileChange: String, CaseIterable, Sendable {
        case rewritten, replaced, grown, shortened, emptied, rewrittenKeepingTime, touched, renamed, clockSetBack,
            vanishes
    }

    // The network.
    case ends(Arrival.Ending, keepingPercent: Int)
    case stalls(milliseconds: Int)
    case outage(milliseconds: Int)

    // Processes.
    case agentDies(Int, Death)
    case gatewayDies(Int, downMilliseconds: Int)
    /// Agent and gateway fail at once, for example by a power cut.
    case bothDie(agent: Int, gateway: Int, Death)
    case gatewayDrains(Int)
    case gatewayClockJumps(Int, seconds: Int)
    /// A gateway's device list is empty for a while.
    case devicesAreRevoked(Int, milliseconds: Int)
    /// A gateway seals with a new key that the other gateways do not know yet.
    case keysRotate(Int)

    // The agent's disk.
    case journalFails
    case journalIsLost(Int)
    case readFails
    case fileChanges(job: Int, FileChange)

    // The store.
    case store(StoreFault)
    case storeIsAway(milliseconds: Int)
    case storeIsFull(milliseconds: Int)
    case uploadsArePurged
    case foreignObject(job: Int)

    // People.
    case userDrops(job: Int)
    case userPushesAgain(job: Int, changed: Bool)
    /// The file grows, and the user pushes it again.
    case userPushesGrown(job: Int)
    /// The user chooses another policy for a key that holds an object.
    case userChangesPolicy(job: Int, ExistingKeyPolicy)
    case userStops(Int)

    /// The fault's name in the statistics.
    package var kind: String {
        switch self {
        case .ends(.cut, _): "cut"
        case .ends(.cutAtAgent, _), .ends(.cutAtGateway, _): "half-open"
        case .ends(.silence, _): "silence"
        case .stalls: "stall"
        case .outage: "outage"
        case .agentDies(_, let death): death.landsPercent < 100 ? "agent dies, torn" : "agent dies"
        case .gatewayDies: "gateway dies"
        case .bothDie(_, _, let death): death.landsPercent < 100 ? "both die, torn" : "both die"
        case .gatewayDrains: "gateway drains"
        case .gatewayClockJumps: "clock jumps"
        case .devicesAreRevoked: "devices revoked"
        case .keysRotate: "keys rotate"
        case .journalFails: "journal fails"
        case .journalIsLost: "journal is lost"
        case .readFails: "read fails"
        case .fileChanges(_, let change): "file " + change.rawValue
        case .store(.fails): "store fails"
        case .store(.failsAfterEffect): "store answer is lost"
        case .store(.delayed), .store(.slow): "store is slow"
        case .store(.uploadVanishes): "upload vanishes"
        case .store(.listsNothing), .store(.listsWithout): "listing lags"
        case .store(.completesInSteps): "completion in steps"
        case .store(.deniesParts): "parts denied"
        case .store(.conflicts(landsAfter: nil)): "409"
        case .store(.conflicts): "409 of its own request"
        case .store(.leavesPart): "abort leaves a part"
        case .storeIsAway: "store is away"
        case .storeIsFull: "store is full"
        case .uploadsArePurged: "uploads purged"
        case .foreignObject: "foreign object"
        case .userDrops: "user drops"
        case .userPushesAgain: "user pushes again"
        case .userPushesGrown: "user pushes a grown file"
        case .userChangesPolicy: "user changes the policy"
        case .userStops: "user stops"
        }
    }
}

/// When a fault takes effect.
package enum Trigger: Equatable, Hashable, Sendable {
    case at(milliseconds: Int)
    /// After the nth action of an agent or gateway, counted over all its processes. The first value is the number of
    /// the agent or gateway, the second is n.
    case agentAction(Int, Int)
    case gatewayAction(Int, Int)
    /// After the nth operation. Operations are all actions of processes, all commits of journals, and all changes of
    /// the store.
    case operation(Int)
    case request(StoreRequestKind, Int)
    /// At every request of this kind to the store.
    case everyRequest(StoreRequestKind)
    /// When bytes arrive for the nth time, counted over all connections.
    case arrival(Int)
    /// At the nth step of reading (`ReadMoment`), counted over all reads of files.
    case readMoment(Int)
    case everyRead
    case commit(Int)
    case everyCommit
}

/// A fault and its trigger. The shrinker removes planned faults from a scenario.
package struct PlannedFault: Equatable, Sendable, CustomStringConvertible {
    package var trigger: Trigger
    package var fault: Fault

    package init(_ trigger: Trigger, _ fault: Fault) {
        self.trigger = trigger
        self.fault = fault
    }

    package var description: String { "\(trigger): \(fault)" }
}
