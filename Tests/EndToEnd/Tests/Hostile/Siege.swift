import Cryptography
import Foundation
import NIOCore
import SecureChannel
import TestSupport
import Testing
import WireProtocol

/// An attack on a gateway with limited memory. An honest agent pushes before, during and after the attack.
///
/// Each file must be stored as it is, and the gateway's memory and descriptors must stay bounded. The speeds are only
/// printed, because they depend on other work on the machine; `make bench ROWS=hostile` compares them.
struct Siege {
    /// The gateway under attack, and what an attacker knows of it.
    struct Target: Sendable {
        let port: Int
        /// Malicious devices that are on the gateway's device list.
        let villains: [Villain]
        private let underWay: Watched<Bool>

        fileprivate init(port: Int, villains: [Villain], underWay: Watched<Bool>) {
            self.port = port
            self.villains = villains
            self.underWay = underWay
        }

        /// Reports that the attack has reached its full strength. The attack must then continue until it is cancelled.
        func isUnderWay() { underWay.update { $0 = true } }

        /// Holds connections until the attack is cancelled, then closes them.
        func hold(_ clients: [HostileClient]) async {
            isUnderWay()
            // Only the cancellation of the attack ends this wait.
            try? await Watched(false).wait { $0 ? () : nil }
            for client in clients { await client.close() }
        }
    }

    typealias Attack = @Sendable (Target) async throws -> Void

    static let budgetBytes = 64 << 20
    /// How many bytes of memory a gateway may use beyond its budget. Once a gateway has served a file, it uses most of
    /// these bytes even when it is idle.
    static let allowanceBytes = 64 << 20
    private static let fileBytes = 24 << 20
    /// How many connections may be without HELLO, and how many a device may have (specification §5.3).
    private static let peersMax = 1_024
    private static let connectionsPerDeviceMax = 16
    /// Descriptors for the connections of the honest agent, files of the store, and connections that are closing.
    private static let otherFilesMax = 256

    private let site: Site
    private let gateway: RunningGateway
    private let honest: AgentHandle

    /// Attacks a new gateway, while an honest agent uses it.
    ///
    /// - Parameter name: the name of the attack in the table of figures.
    static func lay(_ name: String, villains: Int = 1, _ attack: @escaping Attack) async throws {
        try await Site.with { site in
            try await lay(name, at: site) { port in
                var known: [Villain] = []
                for number in 0..<villains { known.append(try await Villain(number, at: port, of: site)) }
                return known
            } attack: {
                try await attack($0)
            }
        }
    }

    /// Attacks a new gateway of an existing site, while an honest agent uses it.
    ///
    /// - Parameter villains: gives the malicious devices, which connect to this port.
    static func lay(
        _ name: String, at site: Site, villains: (_ port: Int) async throws -> [Villain], attack: @escaping Attack
    ) async throws {
        try await site.withGateway(["--budget", "\(budgetBytes >> 20)MiB"]) { gateway in
            let honest = try await site.makeAgent("honest", port: gateway.port, prefix: "honest/")
            let known = try await villains(gateway.port)
            try await Siege(site: site, gateway: gateway, honest: honest).endure(name, known, attack)
        }
    }

    private func endure(_ name: String, _ villains: [Villain], _ attack: @escaping Attack) async throws {
        let file = try site.makeFile("file", bytes: Self.fileBytes)
        let before = try await pushes(file, 3, "before")
        let descriptors = gateway.program.openDescriptorCount
        let memoryBytes = gateway.program.peakMemoryBytes
        let underWay = Watched(false)
        let target = Target(port: gateway.port, villains: villains, underWay: underWay)
        let attacking = Task { try await attack(target) }
        let during: [Double]
        var most = 0
        do {
            try await withDeadline(Site.deadline, "the attack to begin") { try await underWay.wait { $0 ? () : nil } }
            most = gateway.program.openDescriptorCount
            during = try await pushes(file, 3, "during")
            most = max(most, gateway.program.openDescriptorCount)
        } catch {
            attacking.cancel()
            throw error
        }
        attacking.cancel()
        // If the attack itself failed with an error, the test shows nothing, so the error is thrown.
        do { try await attacking.value } catch is CancellationError {}
        try await withDeadline(Site.deadline, "descriptors to be closed") {
            while gateway.program.openDescriptorCount > descriptors + 4 {
                // No event reports that another process has closed a descriptor, so poll.
                try await Task.sleep(for: .milliseconds(20))
            }
        }
        let after = try await pushes(file, 3, "after")
        expectWell()
        let ofVillains = villains.count * Self.connectionsPerDeviceMax
        #expect(most <= descriptors + Self.peersMax + ofVillains + Self.otherFilesMax)
        let speeds = [before, during, after].map { "\(speed($0)) MB/s" }
        let memory = [memoryBytes, gateway.program.peakMemoryBytes].map { "\($0 >> 20) MiB" }
        print(
            "siege: \(name): before \(speeds[0]), during \(speeds[1]), after \(speeds[2]);",
            "memory \(memory[0]) before, \(memory[1]) at most; descriptors \(descriptors) before, \(most) during")
    }

    private func speed(_ seconds: [Double]) -> Int {
        Int(Double(Self.fileBytes) / 1e6 / seconds.sorted()[seconds.count / 2])
    }

    /// Returns the seconds of each push.
    private func pushes(_ file: URL, _ count: Int, _ name: String) async throws -> [Double] {
        var seconds: [Double] = []
        for number in 0..<count {
            let key = "\(name)-\(number)"
            let start = ContinuousClock.now
            _ = try await honest.run(["push", file.path(percentEncoded: false), "--key", key])
            seconds.append((ContinuousClock.now - start) / .seconds(1))
            try await site.expectObject("honest/\(key)", equals: file)
        }
        return seconds
    }

    private func expectWell() {
        #expect(gateway.program.exitStatus == nil, "\(gateway.program.transcript.suffix(2_000))")
        let crash = gateway.program.lines.first { $0.text.contains("Fatal error") || $0.text.contains("Crash") }
        #expect(crash == nil)
        #expect(gateway.program.peakMemoryBytes < Self.budgetBytes + Self.allowanceBytes)
    }
}

/// A malicious device on the gateway's device list. The test has its key.
struct Villain: Sendable {
    let name: String
    let fingerprint: Fingerprint
    let tls: TLSContext
    /// Like `tls`, but with a time limit for the handshake that no test reaches.
    let patientTLS: TLSContext
    private(set) var port: Int
    /// The number of the device's run. All its connections belong to one run, so none of them fences another.
    let run: UInt64

    init(_ number: Int, at port: Int, of site: Site, limits: [String] = []) async throws {
        self.name = "villain-\(number)"
        self.port = port
        self.run = UInt64(number) + 1
        let agent = try await site.makeAgent(name, port: port, prefix: name + "/", limits: limits)
        let identity = try Identity.load(from: agent.home)
        let pin = try #require(Fingerprint(try site.pin))
        self.fingerprint = identity.fingerprint
        self.tls = try TLSContext.agent(identity: identity, gateway: .pinnedKeys([pin]))
        self.patientTLS = try TLSContext.agent(
            identity: identity, gateway: .pinnedKeys([pin]), limits: TLSLimits(handshake: .seconds(3_600)))
    }

    /// Returns the same device, which connects to the gateway at another port.
    func moved(to port: Int) -> Villain {
        var moved = self
        moved.port = port
        return moved
    }

    /// Connects and completes the TLS handshake.
    func knock() async throws -> HostileClient { try await HostileClient.secure(to: port, tls) }

    /// Connects, sends HELLO and receives WELCOME.
    func enter() async throws -> HostileClient {
        let client = try await knock()
        try await client.greet(as: fingerprint, run: run)
        return client
    }

    /// Opens as many connections as a device may have.
    func enterEverywhere() async throws -> [HostileClient] {
        var clients: [HostileClient] = []
        for _ in 0..<16 { clients.append(try await enter()) }
        return clients
    }
}
