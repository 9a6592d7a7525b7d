import NIOCore
import NIOPosix
import SecureChannel
import TestSupport
import Testing

/// Both ends on real sockets. Here the system's channels decide how much is read and written at once.
@Suite struct TLSSocketTests {
    @Test(.timeLimit(.minutes(5)), arguments: [1, 1 << 10, 1 << 20, 20 << 20])
    func bytesAreEchoed(byteCount: Int) async throws {
        let (atAgent, atGateway) = (Watched(Conversation()), Watched(Conversation()))
        let bytes = seededBytes(1, count: byteCount)
        try await withLoopbackServer(
            Site.gateway(), conversation: atGateway,
            answer: { $0.count == byteCount ? ByteBuffer(bytes: $0) : nil },
            { port in
                try await connectToLoopback(port, Site.agent(), conversation: atAgent, opening: bytes)
                #expect(try await atAgent.end().received == Array(bytes.readableBytesView))
                #expect(try await atGateway.end().error == nil)
                #expect(atAgent.current.error == nil)
            })
    }

    /// The device has already sent much data when the gateway refuses it. The device must still receive the alert.
    @Test(.timeLimit(.minutes(5))) func aRefusedDeviceLearnsWhy() async throws {
        for _ in 0..<20 {
            let (atAgent, atGateway) = (Watched(Conversation()), Watched(Conversation()))
            try await withLoopbackServer(
                Site.gateway { _ in false }, conversation: atGateway, answer: { _ in nil },
                { port in
                    try await connectToLoopback(
                        port, Site.agent(), conversation: atAgent, opening: seededBytes(1, count: 100_000))
                    #expect(try await atAgent.end().error?.code == .refusedByPeer(.unknownAuthority))
                    #expect(try await atGateway.end().received == [])
                })
        }
    }

    @Test(.timeLimit(.minutes(5))) func manyConnectionsShareAContext() async throws {
        let context = try Site.gateway()
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            for number in 0..<20 as Range<UInt64> {
                tasks.addTask {
                    let (atAgent, atGateway) = (Watched(Conversation()), Watched(Conversation()))
                    let bytes = seededBytes(number, count: 300_000)
                    try await withLoopbackServer(
                        context, conversation: atGateway,
                        answer: { $0.count == bytes.readableBytes ? ByteBuffer(bytes: $0) : nil },
                        { port in
                            try await connectToLoopback(port, Site.agent(), conversation: atAgent, opening: bytes)
                            #expect(try await atAgent.end().received == Array(bytes.readableBytesView))
                        })
                }
            }
            try await tasks.waitForAll()
        }
    }
}
