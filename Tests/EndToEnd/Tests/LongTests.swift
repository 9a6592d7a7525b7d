import Foundation
import NIOCore
import S3Servers
import ScriptedS3
import TestSupport
import Testing

/// Tests that take too long for every run. `make test-long` runs them, and they print figures.
@Suite(.serialized, .enabled(if: areLongTestsWanted), .timeLimit(.minutes(180)))
struct LongTests {
    @Test(arguments: ScriptedS3.Moment.allCases)
    func resumesAfterEveryPairOfKills(moment: ScriptedS3.Moment) async throws {
        // Most of the time is spent waiting, so several sequences run in parallel.
        let lanes = 3
        let count = try await withThrowingTaskGroup(of: Int.self) { group in
            for lane in 1...lanes {
                group.addTask { try await everyPair(first: moment, from: lane, by: lanes) }
            }
            var count = 0
            for try await pairs in group { count += pairs }
            return count
        }
        print("kill points: \(count) pairs whose first kill is \(moment.rawValue) the call")
        #expect(count > 100)
    }

    private func everyPair(first moment: ScriptedS3.Moment, from lane: Int, by lanes: Int) async throws -> Int {
        var count = 0
        try await KillPoints.with(.minio) { points in
            var number = lane
            while true {
                let first = KillPoint(number: number, moment: moment)
                guard try await points.run([first]) == 1 else { break }
                for next in ScriptedS3.Moment.allCases {
                    var second = 1
                    while try await points.run([first, KillPoint(number: second, moment: next)]) == 2 {
                        count += 1
                        second += 1
                    }
                }
                number += lanes
            }
        }
        return count
    }

    @Test func gibibyteSurvivesACutEverySecond() async throws {
        try await Site.withThreeGateways(.juiceFS) { site, gateways in
            try await pushGibibyte(through: gateways.map(\.port), of: site)
        }
    }

    private func pushGibibyte(through ports: [Int], of site: Site) async throws {
        let addresses = try ports.map { try SocketAddress(ipAddress: "127.0.0.1", port: $0) }
        try await withFaultProxy(upstreamPort: ports[0]) { proxy in
            try await proxy.redirect(to: addresses[0], addresses[1], addresses[2])
            let agent = try await site.makeAgent(port: proxy.port, gateways: ["gateway", "second", "third"])
            let bytes = 1 << 30
            let file = try site.makeFile("file", bytes: bytes)
            try await proxy.change { $0.cutEvery = .seconds(1) }
            let run = try await agent.run(
                ["push", file.path(percentEncoded: false), "--limit-rate", "40MB/s"], within: .seconds(1_800))
            try await site.expectObject("file", equals: file)
            try await site.expectNothingUnfinished()
            let twice = Int(try run.summary.bytesSent ?? 0) - bytes
            print("1 GiB, \(proxy.counts.connectionsCut) cuts, \(twice) bytes sent twice")
        }
    }
}
