import RepositoryFiles
import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

@Suite struct StoreCallQueueTests {
    private static let device = ToyDigest.sha256([1])
    private static let list = StoreRequest.listParts(key: "k", upload: "u")

    private static func queue(lists: Int = 1) -> StoreCallQueue {
        var limits = StoreCallLimits()
        limits.lists = lists
        return StoreCallQueue(limits: limits)
    }

    private static func device(_ number: UInt8) -> SHA256Digest { ToyDigest.sha256([number]) }

    /// For each of these devices, adds a call that lists parts. The number of each call is its place in `devices`.
    private static func add(_ devices: [UInt8], to queue: inout StoreCallQueue) {
        for (place, device) in devices.enumerated() {
            queue.add(list, StoreRequestID(UInt64(place)), of: Self.device(device))
        }
    }

    private static func begin(_ queue: inout StoreCallQueue) -> [UInt64] {
        var begun: [UInt64] = []
        while let call = queue.next(of: .list) { begun.append(call.id.value) }
        return begun
    }

    @Test func theTableIsTrue() throws {
        func name(_ queue: StoreCallQueue) -> String { queue[StoreRequestID(1)].map { "\($0)" } ?? "absent" }
        let events: [(inout StoreCallQueue) -> Void] = [
            { if $0[StoreRequestID(1)] == nil { $0.add(Self.list, StoreRequestID(1), of: Self.device) } },
            { if $0[StoreRequestID(1)] == nil { _ = $0.begins(Self.list, StoreRequestID(1), of: Self.device) } },
            { _ = $0.next(of: .list) }, { _ = $0.leave(StoreRequestID(1)) }, { $0.close() },
            { _ = $0.ended(StoreRequestID(1)) },
        ]
        var waiting = Self.queue()
        events[0](&waiting)
        var begun = waiting
        events[2](&begun)
        var changes: Set<TransitionTable.Row> = []
        for queue in [Self.queue(), waiting, begun] {
            for event in events {
                var next = queue
                event(&next)
                if name(next) != name(queue) { changes.insert(.init(from: name(queue), to: name(next))) }
            }
        }
        let rows = try TransitionTable.rows(of: "Sources/TransferCore/Gateway/Store/StoreCallQueue.swift")
        #expect(Set(rows) == changes)
    }

    @Test func aClassHasNoMoreCallsThanItsBound() {
        var queue = Self.queue(lists: 2)
        Self.add([1, 1, 1], to: &queue)
        #expect(Self.begin(&queue) == [0, 1])
        #expect(queue.ended(StoreRequestID(0)) == .list)
        #expect(Self.begin(&queue) == [2])
        #expect(queue.ended(StoreRequestID(7)) == nil, "an unknown call frees nothing")
    }

    @Test func callBeginsAtOnceIfNoneWaitsAndAPlaceIsFree() {
        var queue = Self.queue(lists: 1)
        func begins(_ id: UInt64) -> Bool { queue.begins(Self.list, StoreRequestID(id), of: Self.device(1)) }
        #expect(begins(1) && !begins(2))
        queue.add(Self.list, StoreRequestID(3), of: Self.device(2))
        #expect(Self.begin(&queue) == [])
        #expect(queue.ended(StoreRequestID(1)) == .list)
        #expect(!begins(4), "another call waits")
        #expect(Self.begin(&queue) == [3])
        #expect(queue.ended(StoreRequestID(3)) == .list)
        #expect(begins(5))
        queue.close()
        #expect(queue.ended(StoreRequestID(5)) == .list && !begins(6))
    }

    @Test func classesDoNotWaitForEachOther() throws {
        var queue = Self.queue(lists: 0)
        Self.add([1], to: &queue)
        let bytes = PartBytes(flow: FlowID(1), size: 1, digest: Self.device, md5: nil)
        let part = StoreRequest.storePart(key: "k", upload: "u", part: try #require(PartNumber(1)), bytes: bytes)
        let requests: [StoreRequest] = [
            .removeRecord(key: "k", session: GatewayDriver.session), .abort(key: "k", upload: "u"), part,
            .readObject(key: "k", size: 1, partBytes: 1),
        ]
        for (place, request) in requests.enumerated() {
            let id = StoreRequestID(UInt64(10 + place))
            queue.add(request, id, of: Self.device)
            #expect(queue.next(of: request.callClass)?.id == id)
        }
        #expect(queue.waitingCount == 1)
    }

    @Test func theDeviceWithTheFewestCallsComesFirst() {
        var queue = Self.queue(lists: 3)
        Self.add([1, 1, 1, 1, 1], to: &queue)
        #expect(Self.begin(&queue) == [0, 1, 2])
        queue.add(Self.list, StoreRequestID(20), of: Self.device(2))
        queue.add(Self.list, StoreRequestID(21), of: Self.device(2))
        queue.add(Self.list, StoreRequestID(30), of: Self.device(3))
        _ = queue.ended(StoreRequestID(0))
        #expect(Self.begin(&queue) == [20])
        _ = queue.ended(StoreRequestID(1))
        #expect(Self.begin(&queue) == [30])
        // Every device has one call now. The first device has waited longest for a turn.
        _ = queue.ended(StoreRequestID(20))
        #expect(Self.begin(&queue) == [21], "the device without a call")
        _ = queue.ended(StoreRequestID(2))
        #expect(Self.begin(&queue) == [3])
    }

    @Test func callsThatLeaveNeverBegin() {
        var queue = Self.queue()
        Self.add([1, 1, 1, 2], to: &queue)
        #expect(Self.begin(&queue) == [0])
        #expect(queue.leave(StoreRequestID(1)) == true)
        #expect(queue.leave(StoreRequestID(1)) == false)
        #expect(queue.leave(StoreRequestID(0)) == false, "it has begun")
        #expect(queue.leave(StoreRequestID(3)) == true)
        _ = queue.ended(StoreRequestID(0))
        #expect(Self.begin(&queue) == [2])
        #expect(queue.waitingCount == 0)
    }

    @Test func queueForgetsTheCallsThatHaveLeft() {
        var queue = Self.queue()
        Self.add([1, 1, 2], to: &queue)
        #expect(Self.begin(&queue) == [0])
        let kept = "\(queue)".utf8.count
        for number in 100..<20_000 as Range<UInt64> {
            queue.add(Self.list, StoreRequestID(number), of: Self.device(UInt8(number % 3)))
            #expect(queue.leave(StoreRequestID(number)) == true)
        }
        #expect("\(queue)".utf8.count < kept + 50_000)
        _ = queue.ended(StoreRequestID(0))
        #expect(Self.begin(&queue) == [2])
    }

    @Test func closedQueueBeginsNothing() {
        var queue = Self.queue()
        Self.add([1, 1], to: &queue)
        #expect(Self.begin(&queue) == [0])
        queue.close()
        #expect(queue.ended(StoreRequestID(0)) == .list)
        #expect(Self.begin(&queue) == [] && queue.waitingCount == 0)
        queue.add(Self.list, StoreRequestID(9), of: Self.device)
        #expect(Self.begin(&queue) == [])
    }
}
