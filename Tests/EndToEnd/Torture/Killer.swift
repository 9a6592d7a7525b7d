import Foundation
import SeededRandom
import TestSupport

/// Kills and stops processes of a site at random moments.
struct Killer: Sendable {
    let site: Site
    let seed: UInt64

    /// Until there were enough; then everybody is spared.
    func run() async {
        var generator = SeededGenerator(seed: seed)
        while !Task.isCancelled, site.tally.current.killCount < site.plan.kills {
            // Short times as likely as long ones: from 20 ms to 2.5 s.
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

    /// Stops a process for a while in which the others go on, and lets it go on too, or kills it.
    private func hold(_ victim: Victim, _ generator: inout SeededGenerator) async {
        site.tally.count { $0.pauses += 1 }
        victim.setStopped(true)
        let isLong = Int.random(in: 0..<4, using: &generator) == 0
        await pause(.milliseconds(Int.random(in: isLong ? 2_000...8_000 : 20...1_500, using: &generator)))
        if victim.role == .gateway, Bool.random(using: &generator) {
            // So that agents go to the other one, and this one wakes up to sessions that have moved on.
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
