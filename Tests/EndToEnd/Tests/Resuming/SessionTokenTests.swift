import Foundation
import SecureChannel
import TestSupport
import Testing
import TransferCommon
import WireProtocol

extension EndToEndTests {
    /// Tests of the gateway's answers to altered tokens and to tokens of another device.
    @Suite(.serialized)
    struct SessionTokenTests {
        private static let session = SessionID(high: 7, low: 7)

        /// - Returns: for each token the code of the refusal; `nil` if the session was opened.
        private static func answers(to tokens: [[UInt8]], by client: HostileClient) async throws -> [ErrorCode?] {
            for (number, token) in tokens.enumerated() {
                try client.say(.resumeQuery(ResumeQuery(listedParts: 0, token: token)), slot: Slot(UInt16(number + 1)))
            }
            let codes = try await client.wait("answers to all") { heard in
                let codes = heard.frames.compactMap { frame -> ErrorCode?? in
                    switch frame {
                    case .sessionRefused(let refused): .some(refused.code)
                    case .resumeState: .some(nil)
                    default: nil
                    }
                }
                return codes.count == tokens.count || heard.isOver ? codes : nil
            }
            await client.close()
            return codes
        }

        @Test func eachTamperingHasItsCode() async throws {
            try await Site.with { site in
                try await site.withGateway { gateway in
                    let owner = try await Villain(0, at: gateway.port, of: site)
                    let thief = try await Villain(1, at: gateway.port, of: site)
                    let token = try await owner.enter().open(Self.session, size: 20 << 20)
                    var changed: [[UInt8]] = token.indices.map { index in
                        var changed = token
                        changed[index] ^= 0x80
                        return changed
                    }
                    // Bytes 1 to 4, after the format number, identify the key.
                    let ofUnknownKey = Array(changed[1...4])
                    changed.removeSubrange(1...4)
                    let cut = (1..<token.count).map { Array(token.prefix($0)) }
                    for tokens in (changed + cut + [token + [0]]).batches(of: 32) {
                        let codes = try await Self.answers(to: tokens, by: owner.enter())
                        #expect(codes == tokens.map { _ in .tokenInvalid })
                    }
                    let unknown = try await Self.answers(to: ofUnknownKey, by: owner.enter())
                    #expect(unknown == ofUnknownKey.map { _ in .tokenKeyUnknown })
                    #expect(try await Self.answers(to: [token], by: thief.enter()) == [.tokenForeign])
                    #expect(try await Self.answers(to: [token], by: owner.enter()) == [nil])
                }
            }
        }

        @Test func tokenOfRemovedKeyIsRefused() async throws {
            try await Site.with { site in
                try await site.withGateway { gateway in
                    let owner = try await Villain(0, at: gateway.port, of: site)
                    let token = try await owner.enter().open(Self.session, size: 20 << 20)
                    try await site.gateway(["keys", "rotate", "--home", site.path("gateway")])
                    // A key opens tokens as long as the file of the ring has its line, so remove that line.
                    let ring = URL(filePath: site.path("gateway/keys"))
                    let lines = try String(contentsOf: ring, encoding: .utf8).split(separator: "\n")
                    let kept = lines.filter { $0.split(separator: " ").dropFirst().first != "retired" }
                    try #require(kept.count == lines.count - 1)
                    let rest = kept.map { $0 + "\n" }.joined()
                    try rest.write(to: ring, atomically: false, encoding: .utf8)
                    try await withDeadline(Site.deadline, "the gateway to take note") {
                        while try await Self.answers(to: [token], by: owner.enter()) != [.tokenKeyUnknown] {
                            // The gateway checks its files every few seconds. No event reports that it has read them,
                            // so poll.
                            try await Task.sleep(for: .milliseconds(200))
                        }
                    }
                }
            }
        }
    }
}

extension Array {
    fileprivate func batches(of count: Int) -> [[Element]] {
        stride(from: 0, to: self.count, by: count).map { Array(self[$0..<Swift.min($0 + count, self.count)]) }
    }
}
