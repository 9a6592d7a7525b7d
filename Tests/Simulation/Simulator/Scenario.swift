package import TransferCommon
package import TransferCore
package import TransferCoreSupport

/// Everything that one run of the world depends on: who is there, what the links and the store are like, and what
/// goes wrong. Two runs of one scenario are the same to the last event.
package struct Scenario: Sendable {
    /// A file on its way to a key.
    package struct Job: Equatable, Sendable {
        package var agent: Int
        package var key: String
        package var bytes: [UInt8]
        package var policy: ExistingKeyPolicy
        package var partBytes: UInt64?
        /// Its bytes come once, in order, from a program.
        package var isStream = false
        /// Its user wants the gateway's signed receipt.
        package var wantsReceipt = false

        package init(agent: Int, key: String, bytes: [UInt8], policy: ExistingKeyPolicy, partBytes: UInt64? = nil) {
            self.agent = agent
            self.key = key
            self.bytes = bytes
            self.policy = policy
            self.partBytes = partBytes
        }
    }

    /// What the agents' machines and links are like.
    package struct Nature: Equatable, Sendable {
        package var latencyMilliseconds = 5
        package var jitterMilliseconds = 0
        /// Of 100 arrivals, how many come in pieces.
        package var splitPercent = 0
        package var linkBytesPerSecond: UInt64?
        /// Whether every connection of an agent reaches the same gateway while that one is up.
        package var isSticky = false
        package var keepsParts = true
        package var keeping = VirtualStore.Keeping.digests
        package var keepsSession = true
        /// Which conditions the store checks.
        package var conditions = CheckedConditions.all
        /// Whether a part that is on its way when its upload is aborted lands after it.
        package var landsAfterAbort = false

        package init() {}
    }

    package var seed: UInt64
    package var gatewayCount = 1
    /// The device of each agent; agents with the same one are copies of each other.
    package var devices = [0]
    package var hasOnePrefix = true
    /// By device; one that is not here has the site's limits.
    package var deviceLimits: [Int: DeviceLimits] = [:]
    package var jobs: [Job] = []
    package var nature = Nature()
    package var gatewayLimits: GatewayLimits
    package var agentLimits = AgentLimits()
    package var faults: [PlannedFault] = []
    package var canary: Canary?
    /// Whether every session asks for a receipt, and objects are asked for by PROVE.
    package var hasReceipts = false

    /// The store takes up to half a minute to complete an upload.
    var hasSlowCompletion = false

    /// A calm world with one agent, one gateway, and nothing to do.
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

    /// The key prefix that the device may write under.
    func prefix(ofDevice device: Int) -> String { hasOnePrefix ? "site/" : "d\(device)/" }

    /// A job's key as the store has it.
    func wholeKey(_ job: Int) -> String { prefix(ofDevice: devices[jobs[job].agent]) + jobs[job].key }

    /// Whether nobody but the job itself writes to its key.
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
