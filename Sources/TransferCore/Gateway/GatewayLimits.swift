package import TransferCommon

/// Every limit that a gateway sets, with its unit and its reason. These limits bound the memory, not the number of
/// agents or the size of files. `WireLimits` has the limits that the protocol fixes: the longest frame of each type and
/// the longest fields.
package struct GatewayLimits: Hashable, Sendable {
    // MARK: Before a key is proved

    /// Connections whose device has not sent HELLO, in all and from one address. At a limit, the gateway closes an old
    /// connection for each new one (`PreAuthenticationLimiter`), so that silent connections do not keep devices out.
    /// The limit of one address is large enough for a fleet behind it.
    package var unauthenticatedPeersMax = 1_024
    package var unauthenticatedPeersPerAddressMax = 256
    /// Connections from balancers whose PROXY header has not arrived. The gateway counts them separately, because it
    /// does not know the peer's address before the header arrives. Beyond the limit, it closes the oldest of them.
    package var peersBeforeProxyHeaderMax = 1_024
    /// Time limit from the beginning of a connection to the end of its handshake: enough for ten handshakes of three
    /// flights over a satellite link.
    package var handshakeLimit = Duration.seconds(10)
    /// Time limit from the end of the handshake to HELLO, which an agent sends at once.
    package var helloLimit = Duration.seconds(5)
    /// Size of one read from a socket, before HELLO and after it. Every connection keeps its buffer. The large one,
    /// together with one record of TLS (slightly more than 16 KiB), fits into 256 KiB.
    package var readBytesBeforeHello = 4 << 10
    package var readBytes = 236 << 10

    // MARK: Connections and sessions

    /// Connections whose device has sent HELLO. A silent connection takes some 25 KiB.
    package var connectionsMax = 4_096
    package var connectionsPerDeviceMax = 16
    /// How long a connection may be silent. Agents send PING after a third of this time.
    package var idleLimit = Duration.seconds(60)
    /// Remembered sessions. One takes some kilobytes.
    package var sessionsMax = 16_384
    package var sessionsPerDeviceMax = 2_048
    /// The highest slot number on a connection.
    package var slotsMax: UInt16 = 1_024
    /// How long a session without a connection is remembered: long enough for an agent to connect again after a cut.
    package var sessionGrace = Duration.seconds(60)

    // MARK: Rates of a device, over all its connections

    /// How many fruitless uses of slots a device may begin: burst, and rate per second. A use is fruitless unless it
    /// ends with an object under the key, so files that are stored are not slowed down. Each may cost the store five
    /// requests. The burst is the number of sessions that a device may have. The rate is enough for an agent that
    /// resumes 256 sessions every three seconds.
    package var fruitlessBeginningsAtOnce: UInt64 = 2_048
    package var fruitlessBeginningsPerSecond: UInt64 = 100
    /// Frames of a device: burst, and rate per second. The gateway reads frames beyond the rate later. A small file
    /// takes four frames, so the rate allows some 5,000 small files a second. A large file takes only one frame for
    /// each chunk of 256 KiB. A frame costs the gateway some microseconds.
    package var framesAtOnce: UInt64 = 10_000
    package var framesPerSecond: UInt64 = 20_000
    /// The shortest pause in reading; without it, every frame beyond the rate would set a timer.
    package var framePause = Duration.milliseconds(50)

    // MARK: Memory

    /// Memory for parts, part lists and tables of stored parts, in all and for one device. `Reservations` divides it.
    package var budgetBytes = usualBudgetBytes
    package var budgetBytesPerDevice: UInt64 = 48 << 20
    /// How many bytes of a part the gateway may hold until the store takes them.
    package var windowBytes: UInt64 = 2 << 20
    /// How many bytes of undecided parts a connection may send; reserved in the budget.
    package var initialCreditBytes: UInt32 = 1 << 20
    /// Plain bytes of a chunk, whether or not the chunk is compressed.
    package var chunkBytesMax: UInt32 = 256 << 10
    package var partsPerSessionMax = 64
    /// How many bytes of lists of stored parts may wait to be written to a connection before the gateway sends no
    /// further page: about what a fast link sends within a round trip of some milliseconds.
    package var unwrittenBytesMax: UInt64 = 256 << 10
    /// Decisions that one slot holds until SESSION OPEN or RESUME QUERY is answered. No budget counts their memory, so
    /// this limit bounds it. An agent offers no more parts than this before the answer (specification §7.1).
    package var heldDecisionsMax = 64
    /// How many unfinished sessions of the same file the gateway tries to adopt, each by a request to the store.
    /// Records of ended sessions stay in the store if the gateway cannot remove them, so there may be many.
    package var probesMax = 16
    /// The store gets a part up to this size as a whole, so the part may stay in memory until the store has answered.
    /// The gateway evicts such a part if nothing of it arrives in a window of progress. 0: the store gets every part as
    /// a stream.
    package var heldPartBytesMax: UInt64 = 0
    /// Undecided parts of one connection. An agent has at most one such part for each of its 256 sessions.
    package var undecidedPartsMax = 512
    /// How long the bytes of a part are kept after its connection is lost.
    package var partGrace = Duration.seconds(10)

    // MARK: Progress of what holds memory

    /// The length of a window of progress. At its end, the gateway evicts each part or list that waits only for its
    /// agent and has received almost no bytes. None is evicted if the connection has received `progressBytesMin` for
    /// each part and list that it holds: a link of 2 KB/s is enough for some 400 parts at once.
    package var progressWindow = Duration.seconds(60)
    package var progressBytesMin: UInt64 = 256
    /// Slow parts must not keep others out. A part is slow if it received fewer bytes in a window of progress than it
    /// holds. When the budget is full, all slow parts together may hold half of what parts may hold. Beyond that, the
    /// gateway evicts a part of the device whose slow parts hold the most, but never a device's only slow part.
    package var slowBytesMax: UInt64 { Reservations.dataMax(of: budgetBytes) / 2 }

    // MARK: Reading objects back, PROVE and REPORT

    /// Objects that are read back at the same time, in all and for one device. Each such read costs the store and its
    /// network as much as an upload. Further objects wait.
    package var readBacksMax = 8
    package var readBacksPerDeviceMax = 2
    /// PROVEs without an answer, in all and for one device, including those that wait for a read-back. Each PROVE takes
    /// a kilobyte of memory, and may cost the store a request.
    package var provesMax = 4_096
    package var provesPerDeviceMax = 256
    /// The shortest time between two kept REPORTs of a device. A REPORT that arrives sooner is skipped.
    package var reportInterval = Duration.seconds(10)
    /// The number of kept reports, one for each device. Beyond this number the oldest is dropped.
    package var reportsMax = 4_096

    // MARK: Patience with the store

    /// How long after the end of its connection a one-part file may still appear in the store (specification §9.2).
    /// This is longer than the minute after which the gateway stops waiting for the store's answer.
    package var putLimit = Duration.seconds(75)
    /// How many times the gateway looks up the key before a session counts as lost, and the first pause between two
    /// look-ups. Each pause is longer than the one before by the length of the first.
    package var lossChecks = 3
    package var lossCheckInterval = Duration.seconds(1)
    /// How long the store may take to complete an upload. During this time the upload may be invisible in the store.
    package var completionTimeMax = Duration.zero
    /// Longest wait for an object that another gateway may be completing; shorter than the agent's own wait.
    package var completionPatienceMax = Duration.seconds(120)
    /// How many times one completion is tried before the gateway tells the agent that the store is unavailable.
    package var completionAttempts = 4
    /// Which write conditions the store checks itself; otherwise the gateway looks up the key before a write.
    package var conditions = CheckedConditions.all
    /// How long an agent is advised to wait if a budget is exhausted.
    package var laterAdvice = Duration.milliseconds(200)

    /// How many calls of each class may be on their way to the store at once.
    package var calls = StoreCallLimits()

    /// How many parts may be on their way to the store at once, and when an answer is too slow.
    package var store = StorePaceLimits()

    /// When the store counts as down or full, and how the gateway then finds out whether it works again.
    package var breaker = StoreBreakerLimits()

    /// The sizes that parts may have on this store.
    package var parts: PartRule
    /// Identifies the store to agents (specification §11.3). The shell sets it.
    package var storeIdentity = SHA256Digest.zero

    /// The put limit that WELCOME names. The gateway cannot stop a completion that the store has begun. If the store
    /// does not check the write condition, the completion may replace a newer object until it ends.
    var namedPutLimit: Duration {
        conditions.complete == CheckedConditions.all.complete ? putLimit : max(putLimit, completionTimeMax)
    }

    /// How long a session waits for its object if all its parts were stored and the store does not find its upload.
    /// Another gateway may be completing the upload.
    var completionPatience: Duration { min(completionTimeMax, completionPatienceMax) }

    var progress: ProgressCheck.Limits {
        ProgressCheck.Limits(window: progressWindow, bytesMin: progressBytesMin, slowBytesMax: slowBytesMax)
    }

    /// The window that the gateway grants to a part: at most half of what parts may hold of each budget, so that there
    /// is always room for one part. It is also at most an eighth of the smaller budget, if that is not tiny, because
    /// tables may take half of the budget and initial credit three eighths.
    var partWindowBytes: UInt64 {
        let budget = min(budgetBytes, budgetBytesPerDevice)
        return max(min(windowBytes, Reservations.dataMax(of: budget) / 2, max(budget / 8, 64 << 10)), 1)
    }

    /// How many bytes one read-back reserves in the budget: enough for the piece of the object that is being hashed.
    var readBackBytes: UInt64 { shareOfBudget(atMost: 256 << 10) }

    /// Size of a page of the list of stored parts: small, so that pages of many slots fit into the budget.
    var answerPageBytes: Int { Int(shareOfBudget(atMost: 64 << 10)) }

    /// `bytes`, but at most a sixteenth of the smaller budget, so that several pieces of this size fit into it.
    private func shareOfBudget(atMost bytes: UInt64) -> UInt64 {
        max(min(bytes, budgetBytes / 16, budgetBytesPerDevice / 16), 1)
    }

    /// The bounds on parts that WELCOME names. A session's part list must fit into a quarter of each budget, so
    /// `partsMax` may be lower than the store's, and the agent divides the file into larger parts.
    var grantedParts: PartRule {
        var rule = parts
        let listable = min(budgetBytes, budgetBytesPerDevice) / 4 / ListIntake.entryBytes
        rule.partsMax = min(rule.partsMax, UInt32(clamping: max(listable, 1)))
        return rule
    }

    /// The initial credit that WELCOME grants: at most the window of a part, so that a decision always allows the bytes
    /// that were sent before it.
    var grantedCreditBytes: UInt32 { UInt32(clamping: min(UInt64(initialCreditBytes), partWindowBytes)) }

    package static let usualBudgetBytes: UInt64 = 64 << 20
    /// What an operator may choose for `budgetBytes`. One device needs the minimum (`DeviceLimits.budgetBytesMin`).
    package static let budgetRange = DeviceLimits.budgetBytesMin...(1 << 40)

    package init(parts: PartRule) {
        self.parts = parts
    }

    /// The limits of one device: its own limits, and the site's for each limit that the device does not set.
    func of(_ device: DeviceLimits) -> GatewayLimits {
        var limits = self
        limits.connectionsPerDeviceMax = device.connectionsMax ?? connectionsPerDeviceMax
        limits.sessionsPerDeviceMax = device.sessionsMax ?? sessionsPerDeviceMax
        limits.budgetBytesPerDevice = device.budgetBytes ?? budgetBytesPerDevice
        return limits
    }
}
