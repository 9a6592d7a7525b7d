import Testing
import TransferCommon
import TransferCore
import WireProtocol

@Suite struct PartQueueTests {
    private static func numbers(_ values: UInt32...) -> [PartNumber] { values.compactMap { PartNumber($0) } }

    private static func next(_ queue: inout PartQueue, _ plan: PartPlan, isReading: Bool) -> PartNumber? {
        queue.next(in: plan, isReading: isReading) { _ in false }
    }

    private static func take(
        _ queue: inout PartQueue, _ plan: PartPlan, taken: [PartNumber] = []
    ) -> [UInt32] {
        var numbers: [UInt32] = []
        while let number = queue.next(in: plan, isReading: false, isTaken: { taken.contains($0) }) {
            numbers.append(number.value)
        }
        return numbers
    }

    @Test func preferredPartsComeBeforeFreshOnes() throws {
        let plan = try #require(PartPlan(fileBytes: 50, partBytes: 10))
        var queue = PartQueue()
        for number in Self.numbers(4) { queue.putLast(number) }
        queue.putFirst(Self.numbers(5, 2))
        #expect(queue.preferredCount == 3)
        // The queue first returns the preferred parts, and then all parts of the plan in order. It skips only parts
        // that the caller reports as stored or under way. This test reports none, so parts 2, 4 and 5 come twice.
        #expect(Self.take(&queue, plan) == [5, 2, 4, 1, 2, 3, 4, 5])
    }

    @Test func partsThatAreTakenAreSkipped() throws {
        let plan = try #require(PartPlan(fileBytes: 50, partBytes: 10))
        var queue = PartQueue()
        queue.putFirst(Self.numbers(3, 1))
        #expect(Self.take(&queue, plan, taken: Self.numbers(1, 4)) == [3, 2, 3, 5])
        #expect(!queue.hasNext(in: plan, isReading: false))
        queue.restart()
        #expect(queue.hasNext(in: plan, isReading: false))
    }

    @Test func aStreamIsReadOnePartAtATime() throws {
        var plan = try #require(PartPlan(fileBytes: nil, partBytes: 10))
        var queue = PartQueue()
        #expect(Self.next(&queue, plan, isReading: false) == PartNumber(1))
        #expect(Self.next(&queue, plan, isReading: true) == nil)
        #expect(!queue.hasNext(in: plan, isReading: true) && queue.hasNext(in: plan, isReading: false))
        #expect(Self.next(&queue, plan, isReading: false) == PartNumber(2))
        plan.ended(after: 20)
        #expect(Self.next(&queue, plan, isReading: false) == nil)
    }

    @Test func storedBytesFollowTheParts() throws {
        var stored = AgentStoredParts()
        for entry in GatewayDriver.entries(of: 2_500) { stored.keep(entry) }
        let first = try #require(PartNumber(1))
        stored.keep(PartListEntry(part: first, size: 900, digest: nil, etag: "e"))
        #expect(stored.bytes == 2_400 && stored.count == 3 && stored.digests.count == 2)
        #expect(stored.list.map(\.part) == Self.numbers(1, 2, 3))
        #expect(stored.remove(first)?.size == 900)
        #expect(stored.remove(first) == nil && stored.bytes == 1_500)
        stored.removeAll()
        #expect(stored.isEmpty && stored.bytes == 0)
    }
}
