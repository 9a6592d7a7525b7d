package import TransferCommon

/// Every limit that a gateway sets, with its unit and its reason. Memory is bounded by these, not by the number of
/// agents or the size of files. What the protocol fixes for everybody (the longest frame of each type, the longest
/// fields) stands in `WireLimits`.
package struct GatewayLimits: Hashable, Sendable {
    // MARK: Before a key is proved

    /// Connections whose device has not said HELLO, in all and from one address: anybody may make these. Where there
    /// are more, the oldest of the address that has the most is closed, so that silent connections keep no device out.
    /// A fleet behind one address fits.
    package var unauthenticatedPeersMax = 1_024
    package var unauthenticatedPeersPerAddressMax = 256
    /// From a connection's beginning to the end of its handshake. Three flights over a satellite, ten times over.
    package var handshakeLimit = Duration.seconds(10)
    /// From the end of the handshake to HELLO, which an agent sends at once.
    package var helloLimit = Duration.seconds(5)
    /// What is read from a socket at once, before HELLO and after it. The small buffer stays with its connection, so
    /// that one that is silent weighs little; a large one has room for a record of TLS (16 KiB and some) beside this
    /// within 256 KiB.
    package var readBytesBeforeHello = 4 << 10
    package var readBytes = 236 << 10

    // MARK: Connections and sessions

    /// A silent connection weighs some 25 KiB.
    package var connectionsMax = 4_096
    package var connectionsPerDeviceMax = 16
    /// How long a connection may be silent. Agents send PING after a third of it.
    package var idleLimit = Duration.seconds(60)
    /// Remembered sessions. One weighs some kilobytes.
    package var sessionsMax = 16_384
    package var sessionsPerDeviceMax = 2_048
    /// The highest slot of a connection.
    package var slotsMax: UInt16 = 1_024
    /// How long a session without a connection is remembered: long enough for an agent to come back after a cut.
    package var sessionGrace = Duration.seconds(60)

    // MARK: Rates of a device, over all its connections

    /// How often a device may begin something in a slot (SESSION OPEN, RESUME QUERY, ABORT, PROVE) that comes to
    /// nothing: at once, and a second. What ends with an object under the key does not count, so that files are stored
    /// as fast as
    /// they come. Each beginning may cost the store five requests. As many at once as there may be sessions; a second,
    /// an agent that goes on with 256 sessions at every cut has that many every three seconds.
    package var fruitlessBeginningsAtOnce: UInt64 = 2_048
    package var fruitlessBeginningsPerSecond: UInt64 = 100
    /// Frames of a device, at once and a second; those beyond are read later. A small file is four frames, so this is
    /// some 5,000 files a second; data at full speed comes in chunks of 256 KiB. A frame costs some microseconds.
    package var framesAtOnce: UInt64 = 10_000
    package var framesPerSecond: UInt64 = 20_000
    /// The least that they wait, so that not every frame is a timer.
    package var framePause = Duration.milliseconds(50)

    // MARK: Memory

    /// The bytes of parts under way and of part lists, in all and for one device.
    package var budgetBytes: UInt64 = 64 << 20
    package var budgetBytesPerDevice: UInt64 = 48 << 20
    /// How far a part may run ahead of the store.
    package var windowBytes: UInt64 = 2 << 20
    /// What a connection may send of parts that are not decided yet; reserved out of the budget.
    package var initialCreditBytes: UInt32 = 1 << 20
    /// Plain bytes of a chunk; what a compressed one is decoded into.
    package var chunkBytesMax: UInt32 = 256 << 10
    package var partsPerSessionMax = 64
    /// Decisions of one slot that wait for the answer to SESSION OPEN or RESUME QUERY. Nothing else counts what they
    /// weigh. An agent keeps within this number of offers (specification §7.1).
    package var heldDecisionsMax = 64
    /// Uploads of unfinished sessions that the store is asked for before a session is opened anew: where records
    /// cannot be removed, there may be any number of them.
    package var probesMax = 16
    /// A part up to this size may stay in memory until the store has answered.
    package var heldPartBytesMax: UInt64 = 0
    /// Parts of one connection that wait for a decision: an agent has one of each of its sessions, 256.
    package var undecidedPartsMax = 512
    /// How long the bytes of a part are kept for the agent to come back to.
    package var partGrace = Duration.seconds(10)

    // MARK: Progress of what holds memory

    /// How often progress is judged. A part or a list that has not moved for a whole window, though only the agent is
    /// awaited, is evicted, unless its connection brought `progressBytesMin` for each that it holds: on a slow link
    /// parts and lists take turns. 2 KB/s is enough for some 400 at once.
    package var progressWindow = Duration.seconds(60)
    package var progressBytesMin: UInt64 = 256
    /// What parts may hold that took in less than they hold in a whole window, of all devices together, while others
    /// are deferred for want of room: half of the budget. Beyond that the device that holds the most of it
    /// loses one, but never its only one.
    package var slowBytesMax: UInt64 { budgetBytes / 2 }

    // MARK: Objects that are looked at for their content

    /// Objects that are read back at once, in all and for one device: each costs the store and its network as much as
    /// an upload does. The others wait their turn.
    package var readBacksMax = 8
    package var readBacksPerDeviceMax = 2
    /// PROVEs under way, in all and for one device, those that wait for their turn included. Each weighs a kilobyte,
    /// and may cost the store a request.
    package var provesMax = 4_096
    package var provesPerDeviceMax = 256
    /// How often a device's REPORT is kept; one that comes sooner is skipped.
    package var reportInterval = Duration.seconds(10)
    /// Reports that are kept, one for each device. The oldest gives way.
    package var reportsMax = 4_096

    // MARK: Patience with the store

    /// How long after the end of a connection a one-part file may still appear (specification §9.2).
    /// Above the minute that a store is given for its answer.
    package var putLimit = Duration.seconds(75)
    /// How often, and how far apart, the store is asked again before a session is called lost; each time by as much
    /// later.
    package var lossChecks = 3
    package var lossCheckInterval = Duration.seconds(1)
    /// How long the store may take to complete an upload and hide it meanwhile: for so long another gateway may be at
    /// it, and a session that had all its parts is not called lost.
    package var completionTimeMax = Duration.zero
    /// How often one completion is tried before the agent is told that the store is away.
    package var completionAttempts = 4
    /// Which conditions the store checks by itself. Where it does not, the gateway looks right before it writes.
    package var conditions = CheckedConditions.all
    /// What an agent is advised to wait when budgets are exhausted.
    package var laterAdvice = Duration.milliseconds(200)

    /// How many parts are on their way to the store, and when an answer is too slow.
    package var store = StorePaceLimits()

    /// When the store counts as down or full, and how it is tried meanwhile.
    package var breaker = StoreBreakerLimits()

    /// The sizes that parts may have on this store.
    package var parts: PartRule
    /// Names the store, to agents (specification §11.3). The shell sets it.
    package var storeIdentity = SHA256Digest.zero

    var progress: ProgressCheck.Limits {
        ProgressCheck.Limits(window: progressWindow, bytesMin: progressBytesMin, slowBytesMax: slowBytesMax)
    }

    /// The window that is granted: within half of the budgets, so that one part always finds room.
    var partWindowBytes: UInt64 { max(min(windowBytes, budgetBytes / 2, budgetBytesPerDevice / 2), 1) }

    /// What one reading holds of the budget: the piece of the object that is being hashed.
    var readBackBytes: UInt64 { max(min(256 << 10, budgetBytes / 16, budgetBytesPerDevice / 16), 1) }

    /// The bounds that are told to agents: no session gets more parts than a quarter of the budgets can list, or it
    /// could never be completed. Larger parts hold the same file.
    var grantedParts: PartRule {
        var rule = parts
        let listable = min(budgetBytes, budgetBytesPerDevice) / 4 / ListIntake.entryBytes
        rule.partsMax = min(rule.partsMax, UInt32(clamping: max(listable, 1)))
        return rule
    }

    /// The initial credit that is granted: within a part's window, so that what was sent before a decision is always
    /// within what the decision allows.
    var grantedCreditBytes: UInt32 { UInt32(clamping: min(UInt64(initialCreditBytes), partWindowBytes)) }

    package init(parts: PartRule) {
        self.parts = parts
    }

    /// The limits of one device: these, but for what it has of its own.
    func of(_ device: DeviceLimits) -> GatewayLimits {
        var limits = self
        limits.connectionsPerDeviceMax = device.connectionsMax ?? connectionsPerDeviceMax
        limits.sessionsPerDeviceMax = device.sessionsMax ?? sessionsPerDeviceMax
        limits.budgetBytesPerDevice = device.budgetBytes ?? budgetBytesPerDevice
        return limits
    }
}
