package import TransferCommon
package import TransferCore
package import TransferCoreSupport

/// Everything that determines a run: agents, gateways, jobs, links, the store and the faults. Two runs of the same
/// scenario are identical in every event.
package struct Scenario: Sendable {
    /// A file and the key that it is sent to.
    package struct Job: Equatable, Sendable {
        package var agent: Int
        package var key: String
        package var bytes: [UInt8]
        package var policy: ExistingKeyPolicy
        package var partBytes: UInt64?
        /// Whether the bytes come from a program, which supplies them only once and in order.
        package var isStream = false
        /// Whether the user requests the gateway's signed receipt.
        package var wantsReceipt = false

        package init(agent: Int, key: String, bytes: [UInt8], policy: ExistingKeyPolicy, partBytes: UInt64? = nil) {
            self.agent = agent
            self.key = key
            self.bytes = bytes
            self.policy = policy
            self.partBytes = partBytes
        }
    }

    /// Properties of the links, the agents' machines and the store.
    package struct Nature: Equatable, Sendable {
        package var latencyMilliseconds = 5
        package var jitterMilliseconds = 0
        /// Percentage of arrivals that come in pieces.
        package var splitPercent = 0
        package var linkBytesPerSecond: UInt64?
        /// Whether all connections of an agent reach the same gateway while that gateway is up.
        package var isSticky = false
        package var keepsParts = true
        package var keeping = VirtualStore.Keeping.digests
        package var keepsSession = true
        /// Which conditions the store checks.
        package var conditions = CheckedConditions.all
        /// Whether a part that is in flight when its upload is aborted still takes effect afterwards.
        package var landsAfterAbort = false

        package init() {}
    }

    package var seed: UInt64
    package var gatewayCount = 1
    /// The device of each agent. Agents with the same device are copies of one another.
    package var devices = [0]
    package var hasOnePrefix = true
    /// Limits by device; a device without an entry has the site's limits.
    package var deviceLimits: [Int: DeviceLimits] = [:]
    package var jobs: [Job] = []
    package var nature = Nature()
    package var gatewayLimits: GatewayLimits
    package var agentLimits = AgentLimits()
    package var faults: [PlannedFault] = []
    package var canary: Canary?
    /// Whether agents ask for receipts, and the simulation itself sends PROVE frames.
    package var hasReceipts = false

    /// Whether the store takes up to half a minute to complete an upload.
    var hasSlowCompletion = false

    /// A scenario without faults: one agent, one gateway, and no jobs.
    package init(seed: UInt64) {
        self.seed = seed
        let rule = PartRule(
            partBytesMin: 16, partBytesMax: 100_000, partBytesDefault: 100, partsMax: 10_000,
            objectBytesMax: 1 << 40)
        gatewayLimits = GatewayLimits(parts: rule)
        gatewayLimits.budgetBytes = 64_000
        gatewayLimits.budgetBytesPerDevice = 48_000
        gatewayLimits.windowBytes = 80
        gatewayLimits.initialCreditBytes = 60
        gatewayLimits.chunkBytesMax = 40
        agentLimits.smallPartBytes = 30
        agentLimits.chunkBytesMin = 8
    }

    /// The prefix under which the device may write keys.
    func prefix(ofDevice device: Int) -> String { hasOnePrefix ? "site/" : "d\(device)/" }

    /// A job's key in the store, prefix included.
    func wholeKey(_ job: Int) -> String { prefix(ofDevice: devices[jobs[job].agent]) + jobs[job].key }

    /// Whether no other job, agent or program writes to the job's key.
    func isSoleWriter(_ job: Int) -> Bool {
        let key = wholeKey(job)
        guard !jobs.indices.contains(where: { $0 != job && wholeKey($0) == key }) else { return false }
        return !faults.contains {
            switch $0.fault {
            case .foreignObject(let other): wholeKey(other) == key
            default: false
            }
        }
    }

    var hasCopies: Bool { Set(devices).count < devices.count }
}
