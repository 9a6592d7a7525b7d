package import TransferCommon

/// Every limit that a gateway sets, with its unit and its reason. These limits bound the memory, not the number of
/// agents or the size of files. `WireLimits` has the limits that the protocol fixes: the longest frame of each type and
/// the longest fields.
package struct GatewayLimits: Hashable, Sendable {
    // MARK: Before a key is proved

    /// Connections whose device has not sent HELLO, in all and from one address. Any peer can make these. Beyond the
    /// limit the oldest one of the address that has the most is closed, so that silent connections keep no device out.
    /// A fleet behind one address fits.
    package var unauthenticatedPeersMax = 1_024
    package var unauthenticatedPeersPerAddressMax = 256
    /// From the beginning of a connection to the end of its handshake: ten times three flights over a satellite link.
    package var handshakeLimit = Duration.seconds(10)
    /// From the end of the handshake to HELLO, which an agent sends at once.
    package var helloLimit = Duration.seconds(5)
    /// Size of one read from a socket, before HELLO and after it. The small buffer stays with its connection, so that a
    /// silent connection takes little memory. The large one, together with a record of TLS (16 KiB and some), fits into
    /// 256 KiB.
    package var readBytesBeforeHello = 4 << 10
    package var readBytes = 236 << 10

    // MARK: Connections and sessions

    /// A silent connection takes some 25 KiB.
    package var connectionsMax = 4_096
    package var connectionsPerDeviceMax = 16
    /// How long a connection may be silent. Agents send PING after a third of it.
    package var idleLimit = Duration.seconds(60)
    /// Remembered sessions. One takes some kilobytes.
    package var sessionsMax = 16_384
    package var sessionsPerDeviceMax = 2_048
    /// The highest slot of a connection.
    package var slotsMax: UInt16 = 1_024
    /// How long a session without a connection is remembered: long enough for an agent to connect again after a cut.
    package var sessionGrace = Duration.seconds(60)

    // MARK: Rates of a device, over all its connections

    /// How many uses of slots (SESSION OPEN, RESUME QUERY, ABORT, PROVE) a device may begin in vain: burst, and rate
    /// per second. A use that ends with an object under the key does not count, so that files are stored as fast as
    /// they come. Each beginning may cost the store five requests. The burst is the number of sessions that a device
    /// may have. The rate is enough for an agent that resumes 256 sessions at every cut, every three seconds.
    package var fruitlessBeginningsAtOnce: UInt64 = 2_048
    package var fruitlessBeginningsPerSecond: UInt64 = 100
    /// Frames of a device: burst, and rate per second. Frames beyond the rate are read later. A small file takes four
    /// frames, so this is some 5,000 files a second; data at full speed comes in chunks of 256 KiB. A frame costs some
    /// microseconds.
    package var framesAtOnce: UInt64 = 10_000
    package var framesPerSecond: UInt64 = 20_000
    /// The shortest pause in reading, so that not every frame sets a timer.
    package var framePause = Duration.milliseconds(50)

    // MARK: Memory

    /// Memory for parts and part lists, in all and for one device.
    package var budgetBytes: UInt64 = 64 << 20
    package var budgetBytesPerDevice: UInt64 = 48 << 20
    /// How far a part may run ahead of the store.
    package var windowBytes: UInt64 = 2 << 20
    /// Bytes that a connection may send of undecided parts; reserved in the budget.
    package var initialCreditBytes: UInt32 = 1 << 20
    /// Plain bytes of a chunk, also of a compressed one.
    package var chunkBytesMax: UInt32 = 256 << 10
    package var partsPerSessionMax = 64
    /// Decisions of one slot that wait for the answer to SESSION OPEN or RESUME QUERY. No budget counts them. An agent
    /// keeps within this number of offers (specification §7.1).
    package var heldDecisionsMax = 64
    /// Uploads of unfinished sessions that the gateway asks the store for before it opens a session anew. If records
    /// cannot be removed, there may be any number of them.
    package var probesMax = 16
    /// A part up to this size may stay in memory until the store has answered.
    package var heldPartBytesMax: UInt64 = 0
    /// Undecided parts of one connection. An agent has at most one of each of its 256 sessions.
    package var undecidedPartsMax = 512
    /// How long the bytes of a part are kept after its connection is lost.
    package var partGrace = Duration.seconds(10)

    // MARK: Progress of what holds memory

    /// How often progress is measured. A part or a list that has not moved for a whole window, although only its agent
    /// is awaited, is evicted, unless its connection brought `progressBytesMin` for each part and list that it holds:
    /// on a slow link they take turns. 2 KB/s is enough for some 400 at once.
    package var progressWindow = Duration.seconds(60)
    package var progressBytesMin: UInt64 = 256
    /// What slow parts of all devices may hold together while others are deferred for lack of room: half of the budget.
    /// A part is slow if it took in less than it holds in a whole window. Beyond the limit the device whose slow parts
    /// hold the most loses one, but never its only one.
    package var slowBytesMax: UInt64 { budgetBytes / 2 }

    // MARK: Objects that are looked at for their content

    /// Objects that are read back at once, in all and for one device. Each costs the store and its network as much as
    /// an upload. Further ones wait.
    package var readBacksMax = 8
    package var readBacksPerDeviceMax = 2
    /// PROVEs without an answer, in all and for one device, including those that wait. Each takes a kilobyte, and may
    /// cost the store a request.
    package var provesMax = 4_096
    package var provesPerDeviceMax = 256
    /// How often a REPORT of a device is kept; one that comes sooner is skipped.
    package var reportInterval = Duration.seconds(10)
    /// Kept reports, one for each device. The oldest gives way.
    package var reportsMax = 4_096

    // MARK: Patience with the store

    /// How long after the end of a connection a one-part file may still appear (specification §9.2). Longer than the
    /// minute that a store has for its answer.
    package var putLimit = Duration.seconds(75)
    /// How often the store is asked before a session counts as lost, and the first pause between; each pause is longer
    /// by as much.
    package var lossChecks = 3
    package var lossCheckInterval = Duration.seconds(1)
    /// How long the store may take to complete an upload, and may hide the upload meanwhile. Another gateway may be
    /// completing for as long, so a session that had all its parts does not count as lost before.
    package var completionTimeMax = Duration.zero
    /// How often one completion is tried before the agent is told that the store is unavailable.
    package var completionAttempts = 4
    /// Which conditions the store checks by itself. Before other writes the gateway looks up the key.
    package var conditions = CheckedConditions.all
    /// How long an agent is advised to wait if a budget is exhausted.
    package var laterAdvice = Duration.milliseconds(200)

    /// How many parts are on their way to the store, and when an answer is too slow.
    package var store = StorePaceLimits()

    /// When the store counts as down or full, and how the gateway tries it meanwhile.
    package var breaker = StoreBreakerLimits()

    /// The sizes that parts may have on this store.
    package var parts: PartRule
    /// Identifies the store to agents (specification §11.3). The shell sets it.
    package var storeIdentity = SHA256Digest.zero

    var progress: ProgressCheck.Limits {
        ProgressCheck.Limits(window: progressWindow, bytesMin: progressBytesMin, slowBytesMax: slowBytesMax)
    }

    /// The granted window: within half of the budgets, so that one part always finds room.
    var partWindowBytes: UInt64 { max(min(windowBytes, budgetBytes / 2, budgetBytesPerDevice / 2), 1) }

    /// The budget of one reading: the piece of the object that is being hashed.
    var readBackBytes: UInt64 { max(min(256 << 10, budgetBytes / 16, budgetBytesPerDevice / 16), 1) }

    /// The bounds that WELCOME tells. No session may have more parts than a quarter of the budgets can list, because it
    /// could never be completed. Larger parts hold the same file.
    var grantedParts: PartRule {
        var rule = parts
        let listable = min(budgetBytes, budgetBytesPerDevice) / 4 / ListIntake.entryBytes
        rule.partsMax = min(rule.partsMax, UInt32(clamping: max(listable, 1)))
        return rule
    }

    /// The granted initial credit: within the window of a part, so that a decision always allows what was sent before
    /// it.
    var grantedCreditBytes: UInt32 { UInt32(clamping: min(UInt64(initialCreditBytes), partWindowBytes)) }

    package init(parts: PartRule) {
        self.parts = parts
    }

    /// The limits of one device: its own, and these where it has none.
    func of(_ device: DeviceLimits) -> GatewayLimits {
        var limits = self
        limits.connectionsPerDeviceMax = device.connectionsMax ?? connectionsPerDeviceMax
        limits.sessionsPerDeviceMax = device.sessionsMax ?? sessionsPerDeviceMax
        limits.budgetBytesPerDevice = device.budgetBytes ?? budgetBytesPerDevice
        return limits
    }
}
