import Foundation
import NIOCore
import SeededRandom
import TestSupport

/// The simulated link between a site's agents and gateways, with changing faults (the weather).
actor Network {
    private let proxy: FaultProxy
    private var generator: SeededGenerator
    private var ports: [String: Int] = [:]
    private var weather = Faults()

    nonisolated var port: Int { proxy.port }
    nonisolated var counts: ProxyCounts { proxy.counts }

    init(proxy: FaultProxy, seed: UInt64) {
        self.proxy = proxy
        self.generator = SeededGenerator(seed: seed)
    }

    /// Records the port at which a gateway listens; `nil` if it no longer listens. New connections go to the listening
    /// gateways in turn.
    func gateway(_ name: String, listensOn port: Int?) async throws {
        ports[name] = port
        let addresses = try ports.sorted { $0.key < $1.key }.map {
            try SocketAddress(ipAddress: "127.0.0.1", port: $0.value)
        }
        if addresses.count > 1 {
            try await proxy.redirect(to: addresses[0], addresses[1])
        } else if let only = addresses.first {
            try await proxy.redirect(to: only)
        }
        try await apply()
    }

    private func apply() async throws {
        let faults = weather
        // If no gateway listens, refuse connections: another process may have taken the port.
        let isDown = ports.isEmpty
        try await proxy.change { proxied in
            proxied = faults
            proxied.refusesConnections = faults.refusesConnections || isDown
        }
    }

    func cutAll() async throws {
        try await proxy.cutAll(by: Bool.random(using: &generator) ? .close : .reset)
    }

    /// Changes the faults of the link at random until the task is cancelled.
    func storm() async throws {
        while !Task.isCancelled {
            let (faults, duration) = drawWeather()
            weather = faults
            try await apply()
            await pause(duration)
            // A connection that has lost bytes cannot continue correctly, so it is cut.
            let isLossy = ProxyEnd.allCases.contains { faults[towards: $0].passage == .vanishing }
            if isLossy || Int.random(in: 0..<100, using: &generator) < 25 { try await cutAll() }
        }
        weather = Faults()
        try await apply()
    }

    private func drawWeather() -> (Faults, Duration) {
        var faults = Faults()
        let end = ProxyEnd.allCases[Int.random(in: 0...1, using: &generator)]
        var milliseconds = 300...3_000
        switch Int.random(in: 0..<20, using: &generator) {
        case 0..<6: break
        case 6, 7, 8:
            for end in ProxyEnd.allCases {
                faults[towards: end].delay = .milliseconds(Int.random(in: 1...300, using: &generator))
            }
        case 9, 10, 11:
            for end in ProxyEnd.allCases {
                faults[towards: end].sliceBytesMax = [7, 300, 1_400, 9_000].randomElement(using: &generator)
            }
        case 12, 13:
            faults.towardsUpstream.bytesPerSecond = Int.random(in: 200_000...5_000_000, using: &generator)
        case 14:
            faults[towards: end].passage = .stalled
        case 15:
            for end in ProxyEnd.allCases { faults[towards: end].passage = .stalled }
            milliseconds = 1_000...9_000
        case 16:
            faults[towards: end].passage = .vanishing
        case 17:
            faults.cutEvery = .milliseconds(Int.random(in: 100...900, using: &generator))
            faults.cut = Bool.random(using: &generator) ? .close : .reset
        case 18:
            faults[towards: end].connectionBytesMax = Int.random(in: 1...300_000, using: &generator)
            faults.cut = Bool.random(using: &generator) ? .close : .reset
        default:
            faults.refusesConnections = true
            milliseconds = 50...1_500
        }
        return (faults, .milliseconds(Int.random(in: milliseconds, using: &generator)))
    }
}
