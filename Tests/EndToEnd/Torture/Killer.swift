import Foundation
import SeededRandom
import TestSupport

/// Kills and stops processes of a site at random times.
struct Killer: Sendable {
    let site: Site
    let seed: UInt64

    /// Kills and stops processes until enough of them were killed. After that it touches no process.
    func run() async {
        var generator = SeededGenerator(seed: seed)
        while !Task.isCancelled, site.tally.current.killCount < site.plan.kills {
            // Pauses from 20 ms to 2.5 s, evenly distributed on a logarithmic scale.
            await pause(.milliseconds(20 * pow(125, Double.random(in: 0...1, using: &generator))))
            await strike(&generator)
        }
        for victim in site.agents + site.gateways { victim.spare() }
    }

    private func strike(_ generator: inout SeededGenerator) async {
        guard let agent = site.agents.randomElement(using: &generator),
            let gateway = site.gateways.randomElement(using: &generator)
        else { return }
        switch Int.random(in: 0..<100, using: &generator) {
        case 0..<48: agent.kill()
        case 48..<84: gateway.kill()
        case 84..<88:
            agent.kill()
            gateway.kill()
        case 88..<91: for gateway in site.gateways { gateway.kill() }
        default:
            await hold(Bool.random(using: &generator) ? agent : gateway, &generator)
        }
    }

    private func hold(_ victim: Victim, _ generator: inout SeededGenerator) async {
        site.tally.count { $0.pauses += 1 }
        victim.setStopped(true)
        let isLong = Int.random(in: 0..<4, using: &generator) == 0
        await pause(.milliseconds(Int.random(in: isLong ? 2_000...8_000 : 20...1_500, using: &generator)))
        if victim.role == .gateway, Bool.random(using: &generator) {
            // The agents of a stopped gateway connect to the other one. When the stopped gateway continues, its
            // sessions are outdated.
            do {
                try await site.network.cutAll()
            } catch {
                site.tally.violation("the link could not be cut: \(error)")
            }
            await pause(.milliseconds(Int.random(in: 20...1_500, using: &generator)))
        }
        if Int.random(in: 0..<3, using: &generator) == 0 { victim.kill() }
        victim.setStopped(false)
    }
}
