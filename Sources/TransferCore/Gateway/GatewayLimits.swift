/// Everything that bounds a gateway, in one place. Memory is bounded by these, not by the number of agents or the size
/// of files.
package struct GatewayLimits: Equatable, Sendable {
    /// The bytes of parts under way, in all and for one device.
    package var budgetBytes: UInt64 = 64 << 20
    package var budgetBytesPerDevice: UInt64 = 48 << 20
    /// How far a part may run ahead of the store.
    package var windowBytes: UInt64 = 2 << 20
    /// What a connection may send of parts that are not decided yet; reserved out of the budget.
    package var initialCreditBytes: UInt32 = 1 << 20
    package var chunkBytesMax: UInt32 = 256 << 10
    package var slotsMax: UInt16 = 1_024
    package var partsPerSessionMax = 64

    package var connectionsMax = 4_096
    package var connectionsPerDeviceMax = 16
    package var sessionsMax = 16_384
    package var sessionsPerDeviceMax = 2_048

    /// How long a connection may take to say HELLO.
    package var helloLimit = Duration.seconds(5)
    /// How long a connection may be silent.
    package var idleLimit = Duration.seconds(60)
    /// How long the bytes of a part are kept for the agent to come back to.
    package var partGrace = Duration.seconds(10)
    /// How long a session without a connection is remembered.
    package var sessionGrace = Duration.seconds(60)
    /// How long after the end of a connection a one-part file may still appear (specification §9.2).
    package var putLimit = Duration.seconds(30)
    /// How often, and how far apart, the store is asked again before a session is called lost.
    package var lossChecks = 3
    package var lossCheckInterval = Duration.seconds(1)
    /// How often one completion is tried before the agent is told that the store is away.
    package var completionAttempts = 4
    /// What an agent is advised to wait when budgets are exhausted.
    package var laterAdvice = Duration.milliseconds(200)

    package var parts: PartRule

    /// The window that is granted: within half of the budgets, so that one part always finds room.
    var partWindowBytes: UInt64 { max(min(windowBytes, budgetBytes / 2, budgetBytesPerDevice / 2), 1) }

    /// The bounds that are told to agents: no session gets more parts than a quarter of the budgets can list, or it
    /// could never be completed. Larger parts hold the same file.
    var grantedParts: PartRule {
        var rule = parts
        let listable = min(budgetBytes, budgetBytesPerDevice) / 4 / GatewayConnection.listEntryBytes
        rule.partsMax = min(rule.partsMax, UInt32(clamping: max(listable, 1)))
        return rule
    }

    /// The initial credit that is granted: within a part's window, so that what was sent before a decision is always
    /// within what the decision allows.
    var grantedCreditBytes: UInt32 { UInt32(clamping: min(UInt64(initialCreditBytes), partWindowBytes)) }

    package init(parts: PartRule) {
        self.parts = parts
    }
}
