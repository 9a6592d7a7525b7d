import NIOCore
import ScriptedS3
import TestSupport
import Testing
import TransferCommon
import WireProtocol

extension EndToEndTests.HostileTests {
    /// Each answer to a query has 0.8 MB, and half of the connections never read their answers. One query of each
    /// connection claims that the part with the protocol's highest number is stored: the gateway must not reserve
    /// memory for all numbers below.
    @Test func thousandQueriesForTenThousandParts() async throws {
        try await Site.scripted(.minio) { site, s3 in
            let session = SessionID(high: 0xBAD, low: 1)
            let (villain, token) = try await site.withGateway { gateway in
                let villain = try await Villain(0, at: gateway.port, of: site)
                let client = try await villain.enter()
                let token = try await client.open(session, size: 10_000 * HostileClient.partBytes)
                await client.close()
                return (villain, token)
            }
            // The gateway under attack is a new process that does not know the session. So it asks the store for the
            // parts, and gets the 10,000 that the next lines make.
            let upload = try #require(s3.uploads.first { $0.key.hasSuffix("villain-0/file") })
            for number in 1...10_000 { s3.replacePart(number, ofUpload: upload.id, [1]) }
            try await Siege.lay("1,000 queries for 10,000 parts", at: site) { port in
                [villain.moved(to: port)]
            } attack: { target in
                let clients = try await target.villains[0].enterEverywhere()
                for (index, client) in clients.enumerated() where index.isMultiple(of: 2) {
                    try await client.channel.setOption(.autoRead, value: false).get()
                }
                let query = Frame.resumeQuery(ResumeQuery(listedParts: 0, token: token))
                let highest = try #require(PartNumber(.max))
                let listing = [
                    Frame.resumeQuery(ResumeQuery(listedParts: 1, token: token)),
                    .partList(
                        PartList(
                            entries: [PartListEntry(part: highest, size: 1, digest: nil, etag: "e")], isLast: true)),
                ]
                for client in clients {
                    var bytes = ByteBuffer()
                    for slot in 1...63 as ClosedRange<UInt16> { try query.encode(slot: Slot(slot), into: &bytes) }
                    for frame in listing { try frame.encode(slot: Slot(64), into: &bytes) }
                    client.say(bytes)
                }
                for (index, client) in clients.enumerated() where !index.isMultiple(of: 2) {
                    try await client.answer("the first page") { if case .partList = $0 { () } else { nil } }
                }
                await target.hold(clients)
            }
        }
    }

    /// A device resumes 64 sessions of 10,000 parts each, and holds them open. Their tables would take 41 MB. Half of
    /// what the device may hold has room for 39 of them; the others are refused for now.
    @Test func tablesOfManyLargeSessions() async throws {
        let count: UInt64 = 64
        try await Site.scripted(.minio) { site, s3 in
            // The gateways that open the sessions have room for half of them each.
            let (villain, tokens) = try await site.withGateway { gateway in
                let villain = try await Villain(0, at: gateway.port, of: site)
                return (villain, try await open(1...count / 2, villain))
            }
            let others = try await site.withGateway { gateway in
                try await open(count / 2 + 1...count, villain.moved(to: gateway.port))
            }
            for upload in s3.uploads where upload.key.contains("villain-0/") {
                for number in 1...10_000 { s3.replacePart(number, ofUpload: upload.id, [1]) }
            }
            try await Siege.lay("64 sessions of 10,000 parts", at: site) { port in
                [villain.moved(to: port)]
            } attack: { target in
                let client = try await target.villains[0].enter()
                for (index, token) in (tokens + others).enumerated() {
                    let query = ResumeQuery(listedParts: 0, token: token, asksForPartials: true)
                    try client.say(.resumeQuery(query), slot: Slot(UInt16(index + 1)))
                }
                try await client.wait("the tables to be full") { $0.resumedCount == 39 ? () : nil }
                try await client.wait("a refusal") { heard in
                    heard.frames.contains { if case .sessionRefused = $0 { true } else { false } } ? () : nil
                }
                await target.hold([client])
            }
        }
    }

    /// Opens sessions of 10,000 parts, and returns their tokens.
    private func open(_ numbers: ClosedRange<UInt64>, _ villain: Villain) async throws -> [[UInt8]] {
        let client = try await villain.enter()
        var tokens: [[UInt8]] = []
        for number in numbers {
            let session = SessionID(high: 0xBAD, low: number)
            let size = 10_000 * HostileClient.partBytes
            tokens.append(try await client.open(session, size: size, key: "file-\(number)", slot: UInt16(number)))
        }
        await client.close()
        return tokens
    }
}
