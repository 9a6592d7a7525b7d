import Foundation
import S3Servers
import ScriptedS3
import TestSupport
import Testing

extension EndToEndTests {
    /// Tests that the store's own words reach the users who need them: the operator in the gateway's log, and the
    /// agent's user where the store refuses a file.
    @Suite
    struct StoreAnswerTests {
        private static let refusal = """
            <Error><Code>InvalidArgument</Code>
            <Message>Part number must be an integer between 1 and 10, inclusive</Message></Error>
            """
        private static let quota = "<Error><Code>EntityTooLarge</Code><Message>Upload exceeds quota.</Message></Error>"

        @Test func refusalIsShownToOperatorAndUser() async throws {
            try await Site.scripted(.minio) { site, s3 in
                try await site.withGateway { gateway in
                    let agent = try await site.makeAgent(port: gateway.port)
                    let file = try site.makeFile("file", bytes: 3 * site.partBytes)
                    s3.inject(.answer(status: 400, body: Self.refusal), into: .uploadPart, times: 1_000)
                    let answer = "UploadPart: 400 InvalidArgument: Part number must be an integer between 1 and 10"
                    try await agent.expectRefusal(
                        site.push(file), Refusal(69, "contentRefused", answer, do: "operator"))
                    try await gateway.waitForLog(of: "warning", answer)

                    s3.stopFaults()
                    _ = try await agent.run(site.push(file))
                    try await site.expectObject("file", equals: file)
                    try await gateway.waitForLog(of: "warning", "carries out these requests again")
                }
            }
        }

        /// Stores report a used-up quota with codes of their own, here EntityTooLarge.
        @Test func usedUpQuotaKeepsTheUpload() async throws {
            try await Site.scripted(.minio) { site, s3 in
                try await site.withGateway { gateway in
                    let agent = try await site.makeAgent(port: gateway.port)
                    let file = try site.makeFile("file", bytes: 3 * site.partBytes)
                    s3.inject(.answer(status: 400, body: Self.quota), into: .uploadPart, times: 1_000)
                    let full = Refusal(75, "storeFull", "store is full", do: "room")
                    try await agent.expectRefusal(site.push(file) + ["--retry-for", "2s"], full)
                    #expect(try await agent.unfinished().count == 1)
                    try await gateway.waitForLog(of: "UploadPart: 400 EntityTooLarge: Upload exceeds quota")
                    s3.stopFaults()
                    _ = try await agent.run(["resume", "--all"])
                    try await site.expectObject("file", equals: file)
                    try await site.expectNothingUnfinished()
                }
            }
        }
    }
}
