import Cryptography
import CryptographySupport
import NIOCore
import NIOEmbedded
import SecureChannel
import SeededRandom
import TestSupport
import Testing

/// Data written on one side arrives on the other, however the bytes are split in transit.
@Suite struct TLSTransferTests {
    private static let request = "from the device"
    private static let answer = "from the gateway"

    /// A handshake, one record in each direction, and close_notify from both sides.
    private func converse(toGateway: TLSPair.Cut = { $0 }, toAgent: TLSPair.Cut = { $0 }) throws -> TLSPair {
        let pair = try TLSPair()
        pair.agent.send(Self.request)
        pair.gateway.send(Self.answer)
        try pair.exchange(toGateway: toGateway, toAgent: toAgent)
        pair.agent.channel.close(promise: nil)
        try pair.exchange(toGateway: toGateway, toAgent: toAgent)
        return pair
    }

    private func check(_ pair: TLSPair, _ comment: Comment) throws {
        let gateway = try Site.gatewayIdentity.get().fingerprint
        let device = try Site.deviceIdentity.get().fingerprint
        #expect(
            pair.agent.application.events
                == [.active, .handshake(TLSPeer(fingerprint: gateway, name: nil)), .bytes, .readComplete, .inactive],
            comment)
        #expect(
            pair.gateway.application.events
                == [.active, .handshake(TLSPeer(fingerprint: device, name: nil)), .bytes, .readComplete, .inactive],
            comment)
        #expect(pair.gateway.application.text == Self.request, comment)
        #expect(pair.agent.application.text == Self.answer, comment)
        #expect(OpenSSLErrorQueue.isEmpty, comment)
    }

    @Test func bothSidesLearnThePeersIdentity() throws {
        try check(converse(), "")
    }

    @Test func bytesMayArriveOneByOne() throws {
        try check(converse(toGateway: { _ in 1 }, toAgent: { _ in 1 }), "")
    }

    /// Repeats the conversation for each byte of the stream, and splits the stream at that byte. So every record is
    /// split at each of its bytes.
    @Test func everyRecordMayBeCutAnywhere() throws {
        for isToGateway in [true, false] {
            var position = 0
            var byteCount = Int.max
            while position < byteCount {
                var arrived = 0
                let cut: TLSPair.Cut = { remaining in
                    let count = arrived < position ? min(remaining, position - arrived) : remaining
                    arrived += count
                    return count
                }
                let pair = try isToGateway ? converse(toGateway: cut) : converse(toAgent: cut)
                try check(pair, "to the \(isToGateway ? "gateway" : "agent"), cut at \(position)")
                byteCount = arrived
                position += 1
            }
            #expect(position > 500)
        }
    }

    @Test(arguments: 0..<40 as Range<UInt64>) func recordsMayBeCutAtRandom(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let cut: TLSPair.Cut = { remaining in
            let byteCountMax = 1 << Int.random(in: 0...9, using: &generator)
            return .random(in: 1...min(remaining, byteCountMax), using: &generator)
        }
        let pair = try TLSPair()
        try pair.exchange(toGateway: cut, toAgent: cut)
        var sent: [ByteBuffer] = [ByteBuffer(), ByteBuffer()]
        for round in 0..<6 as Range<UInt64> {
            for (index, end) in [pair.agent, pair.gateway].enumerated() {
                let byteCount = Int.random(in: 0...40_000, using: &generator)
                let bytes = seededBytes(seed &* 100 &+ round &* 2 &+ UInt64(index), count: byteCount)
                sent[index].writeImmutableBuffer(bytes)
                end.channel.write(bytes, promise: nil)
                if Bool.random(using: &generator) { end.channel.flush() }
            }
            try pair.exchange(toGateway: cut, toAgent: cut)
        }
        pair.agent.channel.flush()
        pair.gateway.channel.flush()
        try pair.exchange(toGateway: cut, toAgent: cut)
        #expect(pair.gateway.application.received == sent[0])
        #expect(pair.agent.application.received == sent[1])
    }

    @Test func tenMebibytesArriveIntactBothWays() throws {
        let pair = try TLSPair.connected()
        let (request, answer) = (seededBytes(1, count: 10 << 20), seededBytes(2, count: 10 << 20))
        var generator = SeededGenerator(seed: 3)
        for (end, bytes) in [(pair.agent, request), (pair.gateway, answer)] {
            var rest = bytes
            while rest.readableBytes > 0 {
                let byteCount = min(rest.readableBytes, .random(in: 0...600_000, using: &generator))
                end.channel.write(rest.readSlice(length: byteCount) ?? ByteBuffer(), promise: nil)
                if Bool.random(using: &generator) { end.channel.flush() }
            }
            end.channel.flush()
        }
        try pair.exchange(toGateway: { min($0, 65_536) }, toAgent: { min($0, 100_001) })
        #expect(pair.gateway.application.received == request)
        #expect(pair.agent.application.received == answer)
    }

    /// The test writes sizes around the size of a record. There the handler switches between two ways: it collects
    /// small writes, and encrypts large ones in place.
    @Test func writesOfAnySizesBecomeFullRecords() throws {
        let pair = try TLSPair.connected()
        var sent = ByteBuffer()
        let rounds = [
            [0], [1], [16_384], [16_383, 2], [1, 16_384, 1], [16_384, 16_384, 5], [20, 262_144], [40_000, 0, 9],
        ]
        for sizes in rounds {
            for size in sizes {
                let bytes = seededBytes(UInt64(size), count: size)
                sent.writeImmutableBuffer(bytes)
                pair.agent.channel.write(bytes, promise: nil)
            }
            pair.agent.channel.flush()
            let cipherText = try pair.agent.takeSent()
            let byteCount = sizes.reduce(0, +)
            #expect(cipherText.readableBytes == byteCount + (byteCount + 16_383) / 16_384 * 22, "\(sizes)")
            try pair.gateway.receive(cipherText)
            #expect(pair.gateway.application.received == sent, "\(sizes)")
        }
    }

    @Test func simultaneousRecordsAreDeliveredTogether() throws {
        let pair = try TLSPair.connected()
        for _ in 0..<50 { pair.agent.send("a frame") }
        try pair.exchange()
        #expect(pair.gateway.application.readCount == 1)
        pair.agent.send(seededBytes(1, count: 250_000))
        try pair.exchange()
        #expect(pair.gateway.application.readCount == 2)
    }

    @Test func promisesSucceedAfterTheLastByte() throws {
        let pair = try TLSPair.connected()
        let loop = pair.agent.channel.embeddedEventLoop
        var kept: [Int] = []
        for (index, size) in [0, 10, 0, 700_000, 5, 16_384].enumerated() {
            let promise = loop.makePromise(of: Void.self)
            promise.futureResult.assumeIsolated().whenSuccess { kept.append(index) }
            pair.agent.channel.write(seededBytes(1, count: size), promise: promise)
        }
        #expect(kept.isEmpty)
        pair.agent.channel.flush()
        pair.agent.run()
        #expect(kept.sorted() == [0, 1, 2, 3, 4, 5])
    }
}
