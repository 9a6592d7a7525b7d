import Foundation
import NIOCore
import SecureChannel
import SeededRandom
import SystemSupport
import TestSupport
import Testing
import TransferCommon
import WireProtocol

extension EndToEndTests.HostileTests {
    private static func session(_ number: UInt64) -> SessionID { SessionID(high: 0xBAD, low: number) }

    // MARK: Sessions

    @Test(arguments: ["left", "aborted", "cut off"])
    func sessionsOpenedAndDropped(how: String) async throws {
        try await Siege.lay("sessions opened and \(how)") { target in
            let villain = target.villains[0]
            var number: UInt64 = 0
            while !Task.isCancelled {
                let client = try await villain.enter()
                if how == "aborted" {
                    // The gateway refuses sessions above its rate. Then no SESSION OPENED arrives, the wait fails, and
                    // there is no token.
                    let token = try? await client.open(Self.session(number), size: 100 << 20, key: "f\(number)")
                    if let token {
                        try client.say(.sessionLeave(SessionLeave()), .abort(Abort(token: token)))
                        _ = try await client.answer("an answer to ABORT") { frame in
                            switch frame {
                            case .aborted, .sessionRefused: true
                            default: nil
                            }
                        }
                    }
                    number += 1
                } else {
                    for _ in 0..<1_000 {
                        number += 1
                        let slot = Slot(UInt16(number % 1_000) + 1)
                        try client.say(
                            HostileClient.opening(Self.session(number), size: 100 << 20, key: "f\(number)"), slot: slot)
                        if how == "left" { try client.say(.sessionLeave(SessionLeave()), slot: slot) }
                    }
                    _ = try await client.wait("answers") { $0.frameCount > 500 || $0.isOver ? () : nil }
                }
                target.isUnderWay()
                await client.close()
            }
        }
    }

    // MARK: Compression

    /// An LZ4 block may decompress to 255 times its size, and credit counts the plain bytes.
    @Test func blocksThatExpand() async throws {
        try await Siege.lay("LZ4, 256 KiB out of 1 KiB") { target in
            let villain = target.villains[0]
            let block = try Self.block(of: Int(WireLimits.chunkBytesMax))
            var number: UInt64 = 0
            while !Task.isCancelled {
                let client = try await villain.enter()
                number += 1
                try await client.open(Self.session(number), size: 8 << 20)
                try await client.offer(size: 8 << 20)
                // Stay within the window of 2 MiB, and send more only when the gateway grants credit.
                for chunk in 0..<8 as Range<UInt64> {
                    client.say(
                        HostileClient.data(block, offset: chunk << 18, plainBytes: WireLimits.chunkBytesMax))
                }
                try await client.answer("more credit") { if case .received = $0 { () } else { nil } }
                #expect(client.heard.current.codes == [])
                target.isUnderWay()
                await client.close()
            }
        }
    }

    @Test func malformedBlocks() async throws {
        try await Siege.lay("LZ4 that lies") { target in
            let villain = target.villains[0]
            let block = try Self.block(of: Int(WireLimits.chunkBytesMax))
            let lies: [(block: [UInt8], plainBytes: UInt32)] = [
                (block, WireLimits.chunkBytesMax - 1), (block, 2_000),
                (Array(block.dropLast()), WireLimits.chunkBytesMax), (block + [0], WireLimits.chunkBytesMax),
                ([0x1F], WireLimits.chunkBytesMax), (Array(repeating: 0xFF, count: 1_000), 200_000),
                ([0xF0] + Array(repeating: 0xFF, count: 1_000), 200_000), (Array(repeating: 0, count: 1_000), 200_000),
            ]
            var number: UInt64 = 0
            repeat {
                for lie in lies {
                    let client = try await villain.enter()
                    number += 1
                    try await client.open(Self.session(number), size: 300_000)
                    try await client.offer(size: 300_000)
                    client.say(HostileClient.data(lie.block, offset: 0, plainBytes: lie.plainBytes))
                    #expect(try await client.end() == .badCompression)
                    await client.close()
                }
                target.isUnderWay()
            } while !Task.isCancelled
        }
    }

    private static func block(of count: Int) throws -> [UInt8] {
        var compressor = LZ4Compressor()
        var block = ByteBuffer()
        let isCompressed = compressor.compress(
            ByteBuffer(repeating: 0, count: count), into: &block, blockBytesMax: count - 1)
        try #require(isCompressed)
        return Array(block.readableBytesView)
    }

    // MARK: Resources of other devices

    @Test func otherDevicesResourcesAreRefused() async throws {
        try await Siege.lay("another's token, session and key", villains: 2) { target in
            let (owner, thief) = (target.villains[0], target.villains[1])
            let owners = try await owner.enter()
            let token = try await owners.open(Self.session(1), size: 20 << 20)
            repeat {
                for frames in [
                    [Frame.resumeQuery(ResumeQuery(listedParts: 0, token: token))], [.abort(Abort(token: token))],
                ] {
                    let client = try await thief.enter()
                    for frame in frames { try client.say(frame) }
                    #expect(try await client.refusal() == .tokenForeign)
                    await client.close()
                }
                let client = try await thief.enter()
                try client.say(HostileClient.opening(Self.session(1), size: 20 << 20))
                #expect(try await client.refusal() == .superseded)
                // The gateway ignores data for a part and a slot that the client does not have.
                client.say(HostileClient.data([1, 2, 3], offset: 0))
                client.say(HostileClient.data([1, 2, 3], offset: 1 << 40, slot: 9))
                await client.close()
                for key in ["../villain-0/file", "/villain-0/file", "a/../../villain-0/x", ".sluice/x/..", "a%2Fb", ""]
                {
                    let client = try await thief.enter()
                    try client.say(HostileClient.opening(Self.session(2), size: 1, key: key))
                    #expect(try await client.refusal() == .keyInvalid, "\(key)")
                    await client.close()
                }
                let liar = try await thief.knock()
                try await liar.greet(as: owner.fingerprint, run: 99)
                #expect(try await liar.end() == .notAuthorised)
                target.isUnderWay()
            } while !Task.isCancelled
            try await owners.offer(size: HostileClient.partBytes, isLast: false)
            await owners.close()
        }
    }

    // MARK: Noise

    @Test func randomBytes() async throws {
        try await Siege.lay("random bytes") { target in
            let villain = target.villains[0]
            var seed: UInt64 = 1
            repeat {
                try await withThrowingTaskGroup(of: Void.self) { tasks in
                    for _ in 0..<8 {
                        seed += 1
                        tasks.addTask { [seed] in try await Self.sayNoise(villain, seed: seed) }
                    }
                    try await tasks.waitForAll()
                }
                if seed > 2_000 { target.isUnderWay() }
            } while !Task.isCancelled
        }
    }

    private static func sayNoise(_ villain: Villain, seed: UInt64) async throws {
        var generator = SeededGenerator(seed: seed)
        let isWelcomed = seed % 2 == 0
        let client = isWelcomed ? try await villain.enter() : try await villain.knock()
        var bytes = ByteBuffer(bytes: generator.bytes(Int(generator.next() % 2_000) + 8))
        if seed % 4 < 2, let type = FrameType.allCases.randomElement(using: &generator) {
            // Use a valid header, so that the gateway examines the random body.
            let slot: UInt16 = type.scope == .connection ? 0 : 1
            let length = UInt32(min(type.bodyBytesMax, bytes.readableBytes))
            var framed = HostileClient.header(length: length, type: type.rawValue, slot: slot)
            framed.writeImmutableBuffer(bytes)
            bytes = framed
        }
        await client.sayAndWait(bytes)
        if !isWelcomed { _ = try await client.end() }
        await client.close()
    }
}
