import FolderSimulator

/// Runs seeds of watched folders one after another, prints each seed that fails, and prints counts of all seeds.
func runFolders(from: UInt64, count: UInt64, _ canary: FolderCanary?) {
    var counts = FolderCounts()
    var (failures, seeds, steps) = (0, 0, 0)
    let clock = ContinuousClock()
    let begin = clock.now
    for seed in from..<from + count {
        let simulation = FolderSimulation(.drawn(seed: seed, canary: canary))
        simulation.run()
        seeds += 1
        steps += simulation.steps
        counts.add(simulation.counts)
        guard let violation = simulation.violations.first else { continue }
        failures += 1
        print("seed \(seed): \(violation)")
        let flag = canary.map { " --canary \($0.rawValue)" } ?? ""
        print("    replay: sluice-simulate --folders --seed \(seed) --trace\(flag)")
        if canary != nil || failures >= 20 { break }
    }
    let elapsed = (clock.now - begin) / .seconds(1)
    print("seeds: \(seeds), \(Int(Double(seeds) / elapsed)) a second, \(steps) steps")
    print("virtual hours: \(counts.virtualSeconds / 3_600)")
    print("kills: \(counts.kills), power cuts: \(counts.powerCuts)")
    print("proven: \(counts.proven), removed: \(counts.removed), removals refused: \(counts.refused)")
    print("replaced: \(counts.replaced), put back under another name: \(counts.putBack), shed: \(counts.shed)")
    finish("violations: \(failures)", status: failures == 0 ? 0 : 1)
}

/// Runs one seed of watched folders and prints its scenario and its violations.
func replayFolders(_ seed: UInt64, _ canary: FolderCanary?, traces: Bool) {
    let simulation = FolderSimulation(.drawn(seed: seed, canary: canary), keepsLines: true)
    simulation.run()
    print("seed \(seed): \(simulation.scenario)")
    if traces {
        for line in simulation.lines { print(line) }
    }
    for violation in simulation.violations { print("violation: \(violation)") }
    let hash = String(simulation.traceHash, radix: 16)
    finish("trace hash \(hash), \(simulation.steps) steps", status: simulation.violations.isEmpty ? 0 : 1)
}
