import Foundation
import NIOCore
import ScriptedS3
import TestSupport
import Testing

extension EndToEndTests {
    /// Kills the gateway's process at each point between its S3 requests, once or twice during an upload of five parts.
    /// The agent continues with the next gateway. In the end the object equals the file, and cleaning leaves nothing
    /// behind.
    @Suite
    struct KillPointTests {
        /// This kind of store forgets an upload once it is complete.
        @Test(arguments: ScriptedS3.Moment.allCases)
        func resumesAfterKillAtEachCall(moment: ScriptedS3.Moment) async throws {
            try await KillPoints.with(.minio) { points in
                var number = 1
                while try await points.run([KillPoint(number: number, moment: moment)]) == 1 { number += 1 }
                // The requests are: look up the key, find session records, write the record, create the upload, write
                // the record again, store five parts, list the parts, complete, remove the record.
                #expect(number > 12)
            }
        }

        @Test func resumesAfterTwoKills() async throws {
            try await KillPoints.with(.minio) { points in
                // The first kill comes after the request that writes the record, creates the upload, stores a part or
                // completes the upload. The second kill hits the next gateway.
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

/// The `number`th S3 request that one gateway makes, counted from 1 after the requests of its probe.
struct KillPoint: CustomStringConvertible {
    var number: Int
    var moment: ScriptedS3.Moment

    var description: String { "\(moment.rawValue) call \(number)" }
}

/// A site whose gateways are killed at chosen points.
struct KillPoints {
    private let site: Site
    private let s3: ScriptedS3
    private let storage: ScriptedStorage
    private let agent: AgentHandle
    private let proxy: FaultProxy
    private let file: URL

    /// Makes a site with a file of four full parts and a shorter fifth one.
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

    /// Uploads the file, and kills one gateway after the other at the given points.
    ///
    /// - Returns: how many of the points were reached. An upload may end before it reaches all of them.
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
        s3.advanceClock(by: .seconds(86_400))
        try await site.administer(["uploads", "clean", "--older-than", "1h"])
        #expect(storage.unfinished() == [], "left after \(stopped), where there was \(left)")
        return stopped.count
    }

    /// Returns the request that the scripted store holds, or `nil` if the upload has ended without one.
    ///
    /// - Parameter callCount: how many requests were made before the present gateway started.
    private func stoppedCall(_ program: Program, after callCount: Int) async throws -> S3Call? {
        try await withDeadline(Site.deadline, "a call to be stopped", detail: { program.transcript }) {
            while true {
                if let call = s3.held.current { return call }
                // The last request removes the record. The gateway makes this request after it has answered the agent,
                // so the agent may have ended already. If the agent ended before it reached this gateway, the gateway
                // makes no request at all.
                let calls = s3.calls.dropFirst(callCount)
                if program.exitStatus != nil, calls.last.map({ $0.operation == .deleteObject }) ?? true { return nil }
                // The program and the store cannot be awaited together, so poll both.
                try await Task.sleep(for: .milliseconds(2))
            }
        }
    }
}
