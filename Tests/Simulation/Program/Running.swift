import Glibc
import Simulator

/// Prints a last text, and exits with `status` unless it is 0.
func finish(_ text: String, status: Int32) {
    print(text)
    if status != 0 { exit(status) }
}

/// Runs seeds one after another, prints each seed that fails, and prints statistics of all seeds.
func runMany(from: UInt64, count: UInt64, _ canary: Canary?) {
    var report = Report()
    let clock = ContinuousClock()
    let begin = clock.now
    for seed in from..<from + count {
        let simulation = Simulation(.drawn(seed: seed, canary: canary))
        simulation.run()
        report.add(simulation)
        guard let violation = simulation.violations.first else { continue }
        print("seed \(seed): \(violation)")
        let flag = canary.map { " --canary \($0.rawValue)" } ?? ""
        print("    replay: sluice-simulate --seed \(seed) --shrink --trace\(flag)")
        if canary != nil { break }
        if report.failures.count >= 20 { break }
    }
    let elapsed = (clock.now - begin) / .seconds(1)
    print("seeds: \(report.seeds), \(Int(Double(report.seeds) / elapsed)) a second, \(report.steps) steps")
    print("virtual hours: \(Int(report.virtualSeconds / 3_600))")
    print("bytes of files: \(report.bytesOfFiles), sent: \(report.bytesSent)")
    for (kind, count) in report.faultCounts.sorted(by: { $0.key < $1.key }) { print("    \(kind): \(count)") }
    finish("violations: \(report.failures.count)", status: report.failures.isEmpty ? 0 : 1)
}

/// Runs one seed and prints its scenario, its outcome and its violations.
func replay(_ seed: UInt64, _ canary: Canary?, traces: Bool, shrinks: Bool) {
    var scenario = Scenario.drawn(seed: seed, canary: canary)
    if shrinks { scenario = Shrinker.shrunk(scenario) }
    let simulation = Simulation(scenario, keepsLines: traces)
    simulation.run()
    print("seed \(seed): \(scenario.devices.count) agents, \(scenario.gatewayCount) gateways, \(scenario.nature)")
    for (number, job) in scenario.jobs.enumerated() {
        print("job \(number): agent \(job.agent), \(job.key), \(job.bytes.count) bytes, \(job.policy)")
    }
    for fault in scenario.faults { print("fault: \(fault)") }
    for line in simulation.trace.lines { print(line) }
    for violation in simulation.violations { print("violation: \(violation)") }
    let hash = String(simulation.trace.hash, radix: 16)
    finish("trace hash \(hash), \(simulation.steps) steps", status: simulation.violations.isEmpty ? 0 : 1)
}

/// Runs one upload with a crash after each operation, and then with a crash after each pair of operations.
func crashEverywhere() {
    var failures = 0
    for size in [0, 90, 500] {
        let calm = Scenario.upload(bytes: size)
        let count = calm.calmOperations
        for victim in CrashVictim.allCases {
            var crashes = 0
            for operation in 1...count {
                for later in [nil] + (size == 500 ? (1...count).map(Optional.some) : []) {
                    let simulation = Simulation(calm.crashing(victim, after: operation, againAfter: later))
                    simulation.run()
                    crashes += 1
                    guard let violation = simulation.violations.first else { continue }
                    failures += 1
                    print("\(size) bytes, \(victim) after \(operation), again after \(later ?? 0): \(violation)")
                }
            }
            print("\(size) bytes, \(count) operations, \(victim): \(crashes) courses")
        }
    }
    finish("violations: \(failures)", status: failures == 0 ? 0 : 1)
}
