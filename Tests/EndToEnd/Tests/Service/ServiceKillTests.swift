import TestSupport
import Testing

extension EndToEndTests {
    /// Tests that the service loses nothing if it, its gateway and its connections are killed again and again.
    @Suite
    struct ServiceKillTests {
        /// The seed decides what is written and when processes are killed. It does not reproduce a failure exactly,
        /// because the timing of the processes varies.
        @Test func killsLoseNothing() async throws {
            let storm = ServiceStorm(seed: 4_711, files: 200, pauseMax: .milliseconds(300), calm: .seconds(180))
            try await storm.run()
        }
    }
}

extension LongTests {
    @Test func serviceLosesNothingOfFiveThousandFiles() async throws {
        let storm = ServiceStorm(
            seed: .random(in: 1...999_999), files: 5_000, pauseMax: .milliseconds(120), calm: .seconds(1_800))
        print("service: seed \(storm.seed)")
        try await storm.run()
    }
}
