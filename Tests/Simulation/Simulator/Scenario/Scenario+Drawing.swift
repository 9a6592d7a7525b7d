import SeededRandom
import TransferCommon
import TransferCore
import TransferCoreSupport

// Draws a scenario from a seed. The order of the draws is fixed, so a seed gives the same scenario until this file
// changes.

extension Scenario {
    /// The scenario of a seed, with all its faults.
    package static func drawn(seed: UInt64, canary: Canary? = nil) -> Scenario {
        var dice = Dice(seed: seed)
        var scenario = Scenario(seed: seed)
        scenario.canary = canary
        scenario.drawWho(&dice)
        scenario.drawLimits(&dice)
        scenario.drawNature(&dice)
        scenario.drawFaults(&dice)
        scenario.drawPace(&dice)
        // Draws that were added later have generators of their own, so the earlier draws of a seed have stayed the
        // same.
        var late = Dice(seed: seed ^ 0x55)
        scenario.drawAborts(&late)
        var early = Dice(seed: seed ^ 0x66)
        scenario.drawIncompleteAbort(&early)
        var latest = Dice(seed: seed ^ 0x77)
        scenario.drawDeviceLimits(&latest)
        scenario.drawTearing(&latest)
        var conditions = Dice(seed: seed ^ 0x88)
        scenario.drawConditions(&conditions)
        var receipts = Dice(seed: seed ^ 0xBB)
        scenario.drawSigning(&receipts)
        var wishes = Dice(seed: seed ^ 0xAA)
        scenario.drawReceipts(&wishes)
        var resuming = Dice(seed: seed ^ 0x99)
        scenario.drawResumptions(&resuming)
        var renewals = Dice(seed: seed ^ 0xCC)
        scenario.drawRenewals(&renewals)
        var streams = Dice(seed: seed ^ 0xDD)
        scenario.drawStreams(&streams)
        var calls = Dice(seed: seed ^ 0xEE)
        scenario.drawCallLimits(&calls)
        return scenario
    }

    /// In some scenarios, allows the gateways so few concurrent calls to the store that calls have to wait.
    private mutating func drawCallLimits(_ dice: inout Dice) {
        guard dice.percent(30) else { return }
        gatewayLimits.calls.lookUps = dice.pick([1, 2])
        gatewayLimits.calls.lists = 1
        gatewayLimits.calls.records = dice.pick([1, 2])
        gatewayLimits.calls.completions = 1
        gatewayLimits.calls.aborts = 1
    }

    private mutating func drawReceipts(_ dice: inout Dice) {
        guard dice.percent(50) else { return }
        for job in jobs.indices { jobs[job].wantsReceipt = dice.percent(70) }
    }

    private mutating func drawWho(_ dice: inout Dice) {
        gatewayCount = dice.pick([1, 1, 2, 2, 3])
        hasOnePrefix = dice.percent(70)
        switch dice.number(0...9) {
        case 0...4: devices = [0]
        case 5, 6: devices = [0, 1]
        case 7: devices = [0, 0]
        case 8: devices = [0, 0, 1]
        default: devices = [0, 1, 2]
        }
        let partBytes = gatewayLimits.parts.partBytesDefault
        for agent in devices.indices {
            let original = devices[..<agent].firstIndex(of: devices[agent])
            if let original, dice.percent(80) {
                // This agent is a copy of an earlier one, for example on a cloned machine, so it has the same files.
                for job in jobs where job.agent == original {
                    jobs.append(
                        Job(
                            agent: agent, key: job.key, bytes: job.bytes, policy: job.policy, partBytes: job.partBytes))
                }
                continue
            }
            for number in 0..<dice.number(1...3) {
                let isShared = dice.percent(10)
                let bytes = dice.bytes(Self.size(partBytes: Int(partBytes), &dice))
                let policy: ExistingKeyPolicy = dice.pick([.verify, .verify, .verify, .replace, .replace, .fail])
                let wish: UInt64? = dice.percent(15) ? UInt64(dice.number(16...200)) : nil
                jobs.append(
                    Job(
                        agent: agent, key: isShared ? "shared" : "a\(agent)-\(number)", bytes: bytes, policy: policy,
                        partBytes: wish))
            }
        }
    }

    private static func size(partBytes: Int, _ dice: inout Dice) -> Int {
        switch dice.number(0...9) {
        case 0: 0
        case 1: dice.number(1...20)
        case 2: partBytes - 1
        case 3: partBytes
        case 4: partBytes + 1
        case 5: partBytes * 2
        case 6: partBytes * 5 + dice.number(-1...1)
        case 7: dice.number(20...200)
        default: dice.number(200...1_200)
        }
    }

    private mutating func drawLimits(_ dice: inout Dice) {
        gatewayLimits.windowBytes = UInt64(dice.pick([20, 80, 80, 300]))
        gatewayLimits.initialCreditBytes = UInt32(dice.pick([0, 30, 60, 60, 300]))
        gatewayLimits.chunkBytesMax = UInt32(dice.pick([16, 40, 40, 200]))
        gatewayLimits.budgetBytes = UInt64(dice.pick([16_000, 64_000, 64_000]))
        gatewayLimits.budgetBytesPerDevice = UInt64(dice.pick([12_000, 16_000, 48_000]))
        gatewayLimits.unwrittenBytesMax = 200
        gatewayLimits.heldPartBytesMax = 60
        gatewayLimits.slotsMax = UInt16(dice.pick([1, 2, 16, 16]))
        gatewayLimits.partsPerSessionMax = dice.pick([1, 2, 64, 64])
        gatewayLimits.sessionsPerDeviceMax = dice.pick([2, 2_048, 2_048])
        gatewayLimits.idleLimit = .seconds(dice.pick([6, 20, 60]))
        gatewayLimits.partGrace = .seconds(dice.pick([1, 10]))
        gatewayLimits.sessionGrace = .seconds(dice.pick([1, 60]))
        gatewayLimits.putLimit = .seconds(30)
        gatewayLimits.completionTimeMax = .seconds(3)
        agentLimits.concurrency = dice.number(1...4)
        agentLimits.connections = dice.pick([1, 1, 2, 3])
        agentLimits.smallPartBytes = UInt64(dice.pick([0, 30, 120]))
        agentLimits.queuedBytesMax = UInt64(dice.pick([30, 200, 1 << 20]))
        agentLimits.chunkBytesMax = UInt32(dice.pick([16, 64, 4_096]))
        agentLimits.retryFor = .seconds(dice.pick([20, 300]))
        agentLimits.retry.longest = .seconds(dice.pick([5, 60]))
        if dice.percent(10) { agentLimits.bytesPerSecond = UInt64(dice.number(500...5_000)) }
    }

    private mutating func drawDeviceLimits(_ dice: inout Dice) {
        for device in Set(devices).sorted() where dice.percent(25) {
            deviceLimits[device] = DeviceLimits(
                connectionsMax: dice.pick([nil, 1, 2]), sessionsMax: dice.pick([nil, 1, 3]),
                budgetBytes: dice.pick([nil, 6_000, 20_000]))
        }
    }

    /// This is the last draw from the scenario's first generator, so that the older draws of a seed stay the same.
    private mutating func drawPace(_ dice: inout Dice) {
        gatewayLimits.progressWindow = .seconds(dice.pick([2, 8, 60]))
        gatewayLimits.progressBytesMin = UInt64(dice.pick([1, 10]))
        gatewayLimits.undecidedPartsMax = dice.pick([1, 3, 512])
        guard dice.percent(30) else { return }
        gatewayLimits.fruitlessBeginningsAtOnce = UInt64(dice.pick([2, 8]))
        gatewayLimits.fruitlessBeginningsPerSecond = UInt64(dice.pick([1, 5]))
    }

    private mutating func drawNature(_ dice: inout Dice) {
        nature.latencyMilliseconds = dice.pick([1, 5, 5, 40, 300])
        nature.jitterMilliseconds = dice.pick([0, 2, 20])
        nature.splitPercent = dice.pick([0, 10, 100])
        nature.linkBytesPerSecond = dice.pick([nil, nil, 1_000, 10_000])
        nature.isSticky = dice.percent(50)
        nature.keepsParts = dice.percent(70)
        nature.keeping = dice.pick([.digests, .digests, .digests, .md5, .md5, .nothingButReadsBack, .nothing])
        nature.keepsSession = dice.percent(80)
    }
}

/// Random draws of one seed.
struct Dice {
    var generator: SeededGenerator

    init(seed: UInt64) {
        generator = SeededGenerator(seed: seed)
    }

    /// A number of the range; all numbers are equally likely.
    mutating func number(_ range: ClosedRange<Int>) -> Int {
        range.lowerBound + Int(generator.next() % UInt64(range.count))
    }

    /// True with a probability of `chance` percent.
    mutating func percent(_ chance: Int) -> Bool { number(0...99) < chance }

    /// An element of the list, which must not be empty; all elements are equally likely.
    mutating func pick<Value>(_ values: [Value]) -> Value { values[number(0...values.count - 1)] }

    /// Returns `count` random bytes.
    mutating func bytes(_ count: Int) -> [UInt8] { generator.bytes(count) }

    /// A number of milliseconds between 1 and about a minute, with equal probability for each order of magnitude.
    mutating func moment() -> Int {
        let scale = 1 << number(0...15)
        return scale + number(0...scale)
    }
}
