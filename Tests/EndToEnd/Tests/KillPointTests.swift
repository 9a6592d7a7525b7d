import Foundation
import NIOCore
import ScriptedS3
import TestSupport
import Testing

extension EndToEndTests {
    /// The gateway's process is killed at each point between its calls to S3, once or twice in an upload of five parts:
    /// the agent goes on with the next gateway, the object is the file, and after cleaning nothing is left.
    @Suite
    struct KillPointTests {
        /// On a store that forgets what it has completed.
        @Test(arguments: ScriptedS3.Moment.allCases)
        func goesOnAfterAKillAtEachCall(moment: ScriptedS3.Moment) async throws {
            try await KillPoints.with(.minio) { points in
                var number = 1
                while try await points.run([KillPoint(number: number, moment: moment)]) == 1 { number += 1 }
                // Look up, find records, record, create, record, five parts, list, complete, remove the record.
                #expect(number > 12)
            }
        }

        @Test func goesOnAfterTwoKills() async throws {
            try await KillPoints.with(.minio) { points in
                // The record, the upload, parts, the completion; and the same again in the second life.
                for (first, second) in [(3, 3), (4, 4), (5, 4), (8, 6), (12, 1), (12, 2)] {
                    let reached = try await points.run([
                        KillPoint(number: first, moment: .after), KillPoint(number: second, moment: .after),
                    ])
                    #expect(reached >= 1)
                }
            }
        }
    }
}

/// The `number`th call of a gateway's life, counted from 1 after it has tried the store out.
struct KillPoint: CustomStringConvertible {
    var number: Int
    var moment: ScriptedS3.Moment

    var description: String { "\(moment.rawValue) call \(number)" }
}

/// A site whose gateways are killed at points.
struct KillPoints {
    private let site: Site
    private let s3: ScriptedS3
    private let storage: ScriptedStorage
    private let agent: AgentHandle
    private let proxy: FaultProxy
    private let file: URL

    /// Makes one, with a file of four parts and a bit.
    static func with(_ rules: S3Rules, _ body: (KillPoints) async throws -> Void) async throws {
        try await Site.scripted(rules) { site, s3 in
            try await withFaultProxy(upstreamPort: 1) { proxy in
                let storage = ScriptedStorage(s3: s3)
                let agent = try await site.makeAgent(port: proxy.port)
                let file = try site.makeFile("file", bytes: 4 * site.partBytes + 4_321)
                try await body(
                    KillPoints(site: site, s3: s3, storage: storage, agent: agent, proxy: proxy, file: file))
            }
        }
    }

    /// Uploads the file, killing a gateway at each point in turn.
    ///
    /// - Returns: how many points were reached: an upload may be over before.
    func run(_ points: [KillPoint]) async throws -> Int {
        let key = UUID().uuidString
        var stopped: [String] = []
        try await agent.start(site.push(file) + ["--key", key]) { program in
            for point in points {
                let call = try await site.withGateway { gateway in
                    let callCount = s3.calls.count
                    s3.closeGate(atCall: point.number, point.moment)
                    try await proxy.redirect(to: SocketAddress(ipAddress: "127.0.0.1", port: gateway.port))
                    let call = try await stoppedCall(program, after: callCount)
                    gateway.program.kill(SIGKILL)
                    try await gateway.program.waitForExit()
                    return call
                }
                s3.openGate()
                guard let call else { break }
                stopped.append("\(point), \(call.operation.rawValue)\(call.number.map { " \($0)" } ?? "")")
            }
            try await site.withGateway { gateway in
                try await proxy.redirect(to: SocketAddress(ipAddress: "127.0.0.1", port: gateway.port))
                let ended = try await program.waitForExit(within: Site.deadline)
                #expect(ended == .exited(0), "\(points)\n\(program.transcript)")
                try await site.expectObject(key, equals: file)
            }
        }
        let left = storage.unfinished()
        if areLongTestsWanted {
            print("kill points: \(stopped.joined(separator: "; ")) | left: \(left.joined(separator: ", "))")
        }
        // A day later by the store's clock.
        s3.advanceClock(by: .seconds(86_400))
        try await site.administer(["uploads", "clean", "--older-than", "1h"])
        #expect(storage.unfinished() == [], "left after \(stopped), where there was \(left)")
        return stopped.count
    }

    /// Waits until the gate has stopped a call, or the upload is over without that.
    ///
    /// - Parameter callCount: how many calls there were before this life of the gateway.
    private func stoppedCall(_ program: Program, after callCount: Int) async throws -> S3Call? {
        try await withDeadline(Site.deadline, "a call to be stopped", detail: { program.transcript }) {
            while true {
                if let call = s3.held.current { return call }
                // Removing the record is the last call, and comes after the agent has its answer. An agent that has
                // ended before it met this gateway brings about none.
                let calls = s3.calls.dropFirst(callCount)
                if program.exitStatus != nil, calls.last.map({ $0.operation == .deleteObject }) ?? true { return nil }
                // The program and the store would have to be waited for together.
                try await Task.sleep(for: .milliseconds(2))
            }
        }
    }
}
