import ScriptedS3
import TestSupport
import Testing
import TransferCommon
import WireProtocol

extension EndToEndTests.HostileTests {
    /// After the restart the gateway asks the store for 6,000 lists of parts at once. It must still serve an honest
    /// device and refuse no session.
    @Test func sessionsThatResumeAtOnceAfterARestart() async throws {
        try await Site.scripted(.aws) { site, _ in
            let options = ["--budget", "\(Siege.budgetBytes >> 20)MiB"]
            let (crowd, honest) = try await site.withGateway(options) { gateway in
                var crowd: [Crowd] = []
                for number in 0..<8 {
                    let device = try await Villain(number, at: gateway.port, of: site)
                    crowd.append(try await Crowd.opening(750, as: device))
                }
                return (crowd, try await site.makeAgent("honest", port: gateway.port, prefix: "honest/"))
            }
            try await site.withGateway(options) { gateway in
                let memoryBytes = gateway.program.peakMemoryBytes
                let file = try site.makeFile("file", bytes: 24 << 20)
                let arguments = site.push(file) + ["--key", "file", "--gateway", "127.0.0.1:\(gateway.port)"]
                try await withThrowingTaskGroup(of: Void.self) { tasks in
                    for devices in crowd { tasks.addTask { try await devices.resume(at: gateway.port) } }
                    tasks.addTask { _ = try await honest.run(arguments) }
                    try await tasks.waitForAll()
                }
                try await site.expectObject("honest/file", equals: file)
                let peak = gateway.program.peakMemoryBytes
                #expect(peak < Siege.budgetBytes + Siege.allowanceBytes)
                let figures = [memoryBytes, peak].map { "\($0 >> 20) MiB" }
                print("siege: 6,000 sessions resume at once: memory \(figures[0]) before, \(figures[1]) at most")
            }
        }
    }
}

private struct Crowd: Sendable {
    private static let sessionsPerConnection = 375

    let device: Villain
    let tokens: [[[UInt8]]]

    static func opening(_ count: Int, as device: Villain) async throws -> Crowd {
        var tokens: [[[UInt8]]] = []
        for first in stride(from: 0, to: count, by: sessionsPerConnection) {
            let client = try await device.enter()
            for slot in 0..<sessionsPerConnection {
                let number = first + slot
                try client.say(
                    HostileClient.opening(
                        SessionID(high: device.run, low: UInt64(number)), size: 100 << 20, key: "f\(number)"),
                    slot: Slot(UInt16(slot) + 1))
            }
            tokens.append(
                try await client.wait("tokens") { heard in
                    if heard.isOver { throw HostileClient.Over(codes: heard.codes) }
                    return heard.tokens.count == sessionsPerConnection ? heard.tokens : nil
                })
            await client.close()
        }
        return Crowd(device: device, tokens: tokens)
    }

    func resume(at port: Int) async throws {
        let device = device.moved(to: port)
        var clients: [HostileClient] = []
        for tokens in tokens {
            let client = try await device.enter()
            clients.append(client)
            for (slot, token) in tokens.enumerated() {
                try client.say(.resumeQuery(ResumeQuery(listedParts: 0, token: token)), slot: Slot(UInt16(slot) + 1))
            }
        }
        let pinging = Task { [clients] in
            // Like an agent, the clients send PING, so that the gateway does not close their connections as idle.
            while !Task.isCancelled {
                for client in clients { try client.say(.ping(Ping(nonce: 1))) }
                // An agent sends PING at this interval. When all answers have arrived, this task is cancelled.
                try await Task.sleep(for: .seconds(15))
            }
        }
        defer { pinging.cancel() }
        for (client, tokens) in zip(clients, tokens) {
            try await client.wait("answers") { heard in
                if heard.isOver { throw HostileClient.Over(codes: heard.codes) }
                return heard.resumedCount == tokens.count ? () : nil
            }
        }
        for client in clients { await client.close() }
    }
}
