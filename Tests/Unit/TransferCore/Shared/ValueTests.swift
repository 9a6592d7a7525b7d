import SeededRandom
import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

@Suite struct PartPlanTests {
    static let table: [(fileBytes: UInt64, partBytes: UInt64, sizes: [UInt64])] = [
        (0, 10, [0]), (1, 10, [1]), (9, 10, [9]), (10, 10, [10]), (11, 10, [10, 1]), (20, 10, [10, 10]),
        (21, 10, [10, 10, 1]), (3, 1, [1, 1, 1]),
    ]

    @Test(arguments: table)
    func partsAreOfOneSizeButTheLast(fileBytes: UInt64, partBytes: UInt64, sizes: [UInt64]) throws {
        let plan = try #require(PartPlan(fileBytes: fileBytes, partBytes: partBytes))
        #expect(plan.partCount == UInt32(sizes.count))
        #expect(plan.isOnePart == (sizes.count == 1))
        for (index, size) in sizes.enumerated() {
            let number = try #require(PartNumber(UInt32(index + 1)))
            #expect(plan.bytes(of: number) == size)
            #expect(plan.start(of: number) == UInt64(index) * partBytes)
            #expect(plan.isLast(number) == (index == sizes.count - 1))
        }
        let beyond = try #require(PartNumber(UInt32(sizes.count + 1)))
        #expect(plan.bytes(of: beyond) == nil)
    }

    @Test func everySmallFileIsCoveredExactlyOnce() throws {
        for fileBytes in UInt64(0)...120 {
            for partBytes in UInt64(1)...40 {
                let plan = try #require(PartPlan(fileBytes: fileBytes, partBytes: partBytes))
                let count = try #require(plan.partCount)
                var end: UInt64 = 0
                for value in 1...count {
                    let number = try #require(PartNumber(value))
                    let bytes = try #require(plan.bytes(of: number))
                    #expect(plan.start(of: number) == end)
                    #expect(bytes == partBytes || value == count)
                    #expect(bytes > 0 || fileBytes == 0)
                    end += bytes
                }
                #expect(end == fileBytes)
            }
        }
    }

    @Test func sizesThatMakeNoPlanAreRefused() {
        #expect(PartPlan(fileBytes: 1, partBytes: 0) == nil)
        #expect(PartPlan(fileBytes: .max, partBytes: 1) == nil)
        #expect(PartPlan(fileBytes: .max - 1, partBytes: 1 << 33)?.partCount == 1 << 31)
    }

    @Test func aStreamHasNoLastPartUntilItEnds() throws {
        let plan = try #require(PartPlan(fileBytes: nil, partBytes: 10))
        let number = try #require(PartNumber(9_999))
        #expect(plan.partCount == nil)
        #expect(!plan.isOnePart)
        #expect(!plan.isLast(number))
        #expect(plan.bytes(of: number) == 10)
    }
}

/// The size of parts, which follows from the size of the file and the limits of the store.
@Suite struct PartRuleTests {
    static let mebibyte: UInt64 = 1 << 20
    static let amazon = PartRule(
        partBytesMin: 5 * mebibyte, partBytesMax: 5_120 * mebibyte, partBytesDefault: 8 * mebibyte, partsMax: 10_000,
        objectBytesMax: 5 << 40)
    static let small = PartRule(
        partBytesMin: 1 * mebibyte, partBytesMax: 100 * mebibyte, partBytesDefault: 16 * mebibyte, partsMax: 1_000,
        objectBytesMax: 1 << 40)

    static let table: [(rule: PartRule, fileBytes: UInt64?, expected: UInt64)] = [
        (amazon, nil, 8 * mebibyte), (amazon, 0, 8 * mebibyte), (amazon, 1, 8 * mebibyte),
        (amazon, 80_000 * mebibyte, 8 * mebibyte), (amazon, 80_000 * mebibyte + 1, 9 * mebibyte),
        // In parts of the default size, these files would have more than 10,000 parts.
        (amazon, 100 << 30, 11 * mebibyte), (amazon, 5 << 40, 525 * mebibyte),
        (small, 16_000 * mebibyte, 16 * mebibyte), (small, 16_000 * mebibyte + 1, 17 * mebibyte),
        (small, 100_000 * mebibyte, 100 * mebibyte),
    ]

    @Test(arguments: table)
    func defaultPartSizeGrowsWithTheFile(rule: PartRule, fileBytes: UInt64?, expected: UInt64) throws {
        let partBytes = try rule.partBytes(fileBytes: fileBytes, wish: nil)
        #expect(partBytes == expected)
        #expect(rule.allows(fileBytes: fileBytes, partBytes: partBytes))
    }

    @Test func chosenPartSizeIsValid() throws {
        var generator = SeededGenerator(seed: 3)
        for _ in 0..<20_000 {
            let minimum = UInt64.random(in: 1...50, using: &generator)
            let rule = PartRule(
                partBytesMin: minimum, partBytesMax: minimum + UInt64.random(in: 0...3_000_000, using: &generator),
                partBytesDefault: minimum, partsMax: UInt32.random(in: 1...10_000, using: &generator),
                objectBytesMax: 1 << UInt64.random(in: 1...50, using: &generator))
            let fileBytes = UInt64.random(in: 0...(1 << 34), using: &generator)
            do {
                let partBytes = try rule.partBytes(fileBytes: fileBytes, wish: nil)
                #expect(rule.allows(fileBytes: fileBytes, partBytes: partBytes))
            } catch .fileTooLarge(let most) {
                #expect(fileBytes > most)
                #expect(!rule.allows(fileBytes: fileBytes, partBytes: rule.partBytesMax))
            }
        }
    }

    @Test func smallestPartSizeHoldsTheFile() {
        let (amazon, mebibyte) = (Self.amazon, Self.mebibyte)
        let table: [(fileBytes: UInt64, expected: UInt64)] = [
            (0, 5 * mebibyte), (1, 5 * mebibyte), (50_000 * mebibyte, 5 * mebibyte),
            (50_000 * mebibyte + 1, 5 * mebibyte + 1), (100_000 * mebibyte, 10 * mebibyte),
        ]
        for (fileBytes, expected) in table {
            #expect(amazon.smallestPartBytes(fileBytes: fileBytes) == expected, "\(fileBytes)")
            #expect(amazon.allows(fileBytes: fileBytes, partBytes: expected))
        }
        #expect(amazon.smallestPartBytes(fileBytes: .max) == amazon.partBytesMax)
    }

    @Test func requestedPartSizeIsUsedOrRefused() throws {
        let rule = Self.small
        let mebibyte = Self.mebibyte
        #expect(try rule.partBytes(fileBytes: 10, wish: 3 * mebibyte) == 3 * mebibyte)
        #expect(throws: PartRule.Refusal.partSizeOutOfBounds(wish: mebibyte - 1)) {
            try rule.partBytes(fileBytes: 10, wish: mebibyte - 1)
        }
        #expect(throws: PartRule.Refusal.partSizeOutOfBounds(wish: 101 * mebibyte)) {
            try rule.partBytes(fileBytes: nil, wish: 101 * mebibyte)
        }
        #expect(throws: PartRule.Refusal.partSizeTooSmall(wish: mebibyte, needed: mebibyte + 1)) {
            try rule.partBytes(fileBytes: 1_000 * mebibyte + 1, wish: mebibyte)
        }
        #expect(throws: PartRule.Refusal.fileTooLarge(most: 100_000 * mebibyte)) {
            try rule.partBytes(fileBytes: 100_000 * mebibyte + 1, wish: nil)
        }
    }

    /// R2 requires parts of equal size, except for the last one.
    @Test func partsAreEqualWhateverTheFile() throws {
        let partBytes = try Self.amazon.partBytes(fileBytes: 100 << 30, wish: nil)
        let plan = try #require(PartPlan(fileBytes: 100 << 30, partBytes: partBytes))
        let count = try #require(plan.partCount)
        #expect(count <= 10_000)
        for value in 1..<count { #expect(try plan.bytes(of: #require(PartNumber(value))) == partBytes) }
    }
}

@Suite struct RetryPolicyTests {
    let policy = RetryPolicy(first: .milliseconds(250), longest: .seconds(60))

    @Test(arguments: zip(RetryPolicy.Cause.allCases, [10, 60]))
    func waitsDoubleWithJitterUpToTheMaximum(cause: RetryPolicy.Cause, longestSeconds: Int) {
        var generator = SeededGenerator(seed: 5)
        for failures in -1...200 {
            let doublings = min(max(failures - 1, 0), 20)
            let ceiling = min(Duration.milliseconds(250) * (1 << doublings), .seconds(longestSeconds))
            var waits: Set<Duration> = []
            for _ in 0..<20 {
                let wait = policy.delay(afterFailures: failures, cause, using: &generator)
                #expect(wait >= ceiling / 2 && wait <= ceiling)
                waits.insert(wait)
            }
            #expect(waits.count > 15)
        }
    }

    @Test func adviceIsFollowedUpToALimit() {
        var generator = SeededGenerator(seed: 5)
        #expect(policy.delay(afterFailures: 1, .answer, advice: .seconds(9), using: &generator) == .seconds(9))
        let endless = Duration.seconds(4_000_000)
        #expect(policy.delay(afterFailures: 1, .answer, advice: endless, using: &generator) == .seconds(600))
        #expect(policy.delay(afterFailures: 20, .answer, advice: .milliseconds(1), using: &generator) >= .seconds(30))
    }

    @Test func seedGivesOneSequence() {
        var first = SeededGenerator(seed: 8)
        var second = SeededGenerator(seed: 8)
        for failures in 1...20 {
            #expect(
                policy.delay(afterFailures: failures, .answer, using: &first)
                    == policy.delay(afterFailures: failures, .answer, using: &second))
        }
    }
}

@Suite struct RateLimiterTests {
    @Test(arguments: [1, 1_000, 125_000, 10_000_000, 1_250_000_000] as [UInt64], [1, 50, 8_000, 262_144] as [UInt64])
    func theRateIsKeptOverTenSecondsWithoutBursts(rate: UInt64, chunk: UInt64) {
        let start = Instant(nanoseconds: 5_000_000_000)
        var limiter = RateLimiter(bytesPerSecond: rate, now: start)
        var now = start
        var sent: UInt64 = 0
        var sends: [(at: Instant, bytes: UInt64)] = []
        let end = start + .seconds(10)
        while sends.count < 200_000 {
            let ready = limiter.readyAt(now: now)
            if ready > now { now = ready }
            guard now < end else { break }
            limiter.spent(chunk, now: now)
            sent += chunk
            sends.append((now, chunk))
        }
        guard sends.count < 200_000 else { return }  // The granularity is too fine for a test of acceptable length.
        #expect(Double(sent) <= Double(rate) * 10 * 1.05 + Double(chunk))
        #expect(Double(sent) >= Double(rate) * 10 * 0.95 - Double(chunk))
        // In any second the sender sends at most the rate, plus 5 %, plus two chunks.
        var first = 0
        var window: UInt64 = 0
        for last in sends.indices {
            window += sends[last].bytes
            while sends[first].at + .seconds(1) <= sends[last].at {
                window -= sends[first].bytes
                first += 1
            }
            #expect(Double(window) <= Double(rate) * 1.05 + 2 * Double(chunk))
        }
    }

    @Test func idleTimeIsNotMadeUpFor() {
        let start = Instant(nanoseconds: 0)
        var limiter = RateLimiter(bytesPerSecond: 1_000, now: start)
        let later = start + .seconds(3_600)
        limiter.spent(50, now: later)
        #expect(limiter.readyAt(now: later) <= later)
        limiter.spent(1_000, now: later)
        #expect(limiter.readyAt(now: later) >= later + .milliseconds(999))
    }

    @Test func withoutALimitNothingWaits() {
        var limiter = RateLimiter(bytesPerSecond: nil, now: Instant(nanoseconds: 0))
        limiter.spent(.max, now: Instant(nanoseconds: 0))
        #expect(limiter.readyAt(now: Instant(nanoseconds: 1)) == Instant(nanoseconds: 1))
    }

    @Test func stoppedClockAndHugeDebtDoNoHarm() {
        let start = Instant(nanoseconds: 9)
        var limiter = RateLimiter(bytesPerSecond: 0, now: start)
        limiter.spent(.max, now: start)
        limiter.spent(.max, now: Instant(nanoseconds: 1))
        #expect(limiter.readyAt(now: start) > start + .seconds(3_000))
    }
}

@Suite struct ByteBudgetTests {
    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func itNeverExceedsAndNeverUnderflows(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var budget = ByteBudget(bytesMax: 1_000)
        let devices = (0..<4).map { ToyDigest.sha256([UInt8($0)]) }
        let deviceMaxima = devices.map { _ in UInt64.random(in: 0...1_500, using: &generator) }
        var held: [SHA256Digest: UInt64] = [:]
        for _ in 0..<2_000 {
            let choice = Int.random(in: devices.indices, using: &generator)
            let (device, deviceMax) = (devices[choice], deviceMaxima[choice])
            let bytes = UInt64.random(in: 0...400, using: &generator)
            if Bool.random(using: &generator) {
                let before = budget
                let fits =
                    held.values.reduce(0, +) + bytes <= 1_000
                    && held[device, default: 0] + bytes <= deviceMax
                #expect(budget.reserve(bytes, device: device, deviceMax: deviceMax) == fits)
                if fits { held[device, default: 0] += bytes } else { #expect(budget == before) }
            } else {
                budget.release(bytes, device: device)
                held[device] = held[device, default: 0] - min(bytes, held[device, default: 0])
            }
            #expect(budget.bytesReserved == held.values.reduce(0, +))
            #expect(budget.bytesReserved <= 1_000)
            for device in devices { #expect(budget.bytesReserved(device: device) == held[device, default: 0]) }
        }
    }

    @Test func theLargestNumbersDoNoHarm() {
        let device = ToyDigest.sha256([1])
        var budget = ByteBudget(bytesMax: .max)
        let reserved = [
            budget.reserve(.max, device: device, deviceMax: .max),
            budget.reserve(1, device: device, deviceMax: .max),
            budget.reserve(0, device: device, deviceMax: .max),
        ]
        #expect(reserved == [true, false, true])
        budget.release(.max, device: device)
        budget.release(.max, device: device)
        #expect(budget.bytesReserved == 0)
    }
}

@Suite struct FileStampTests {
    let stamp = FileStamp(
        device: 1, inode: 2, size: 3, modification: ModificationTime(seconds: 4, nanoseconds: 5),
        change: ModificationTime(seconds: 6, nanoseconds: 7))

    static let changes:
        [(
            name: String, change: @Sendable (inout FileStamp) -> Void, reading: FileStamp.Difference,
            runs: FileStamp.Difference
        )] = [
            ("nothing", { _ in }, .none, .none),
            ("change time", { $0.change = ModificationTime(seconds: 6, nanoseconds: 8) }, .touched, .touched),
            (
                "modification time", { $0.modification = ModificationTime(seconds: 4, nanoseconds: 6) }, .changed,
                .touched
            ),
            ("inode", { $0.inode = 9 }, .changed, .touched),
            ("device", { $0.device = 9 }, .changed, .touched),
            ("size", { $0.size = 9 }, .changed, .changed),
        ]

    @Test(arguments: changes.indices)
    func differenceDependsOnTheMoment(index: Int) {
        let (name, change, reading, runs) = Self.changes[index]
        var later = stamp
        change(&later)
        #expect(stamp.difference(whileReading: later) == reading, "\(name)")
        #expect(stamp.difference(betweenRuns: later) == runs, "\(name)")
    }
}

@Suite struct InstantTests {
    @Test func sumsSaturate() {
        let instant = Instant(nanoseconds: 5)
        #expect(instant + .seconds(2) == Instant(nanoseconds: 2_000_000_005))
        #expect(instant + .seconds(Int64.max) == Instant(nanoseconds: .max))
        #expect(Instant(nanoseconds: .max) + .nanoseconds(1) == Instant(nanoseconds: .max))
        #expect(instant + .seconds(-1) == instant)
        #expect(instant.since(Instant(nanoseconds: 9)) == .zero)
        #expect(Instant(nanoseconds: .max).since(Instant(nanoseconds: 0)) == .nanoseconds(Int64.max))
    }
}
