import Foundation
import TestSupport
import Testing

/// A site whose gateway and devices have certificates of a private authority.
extension Site {
    /// What the gateway's certificate is for, as its `init` names it.
    static let gatewayName = "sluice-gateway"

    /// Makes an authority that has signed the gateway's certificate.
    func makeAuthority() async throws -> Authority {
        let authority = try await Authority(in: directory.appending(path: "authority"))
        try await sign("gateway", by: authority)
        return authority
    }

    /// Goes the way that the manual describes: the request is signed, and the result takes the certificate's place.
    func sign(_ home: String, by authority: Authority, validity: Authority.Validity = .now) async throws {
        try await authority.sign(path("\(home)/identity.csr"), to: path("\(home)/identity.crt"), validity: validity)
    }

    /// Makes an agent's home that knows its gateway by the authority, and whose certificate is not signed yet.
    func makeUnsignedAgent(
        _ name: String, port: Int, trusting authority: Authority, _ options: [String] = []
    ) async throws -> AgentHandle {
        let agent = AgentHandle(home: path(name), program: try .built("sluice-agent"))
        let program = try await run(
            agent.program,
            [
                "init", "--home", agent.home, "--gateway", "127.0.0.1:\(port)", "--ca", authority.certificatePath,
                "--gateway-name", Self.gatewayName, "--name", name,
            ] + options, within: Self.deadline)
        try #require(program.exitStatus == .exited(0), "\(program.transcript)")
        return agent
    }

    /// The same, with a certificate.
    func makeCertifiedAgent(
        _ name: String, port: Int, authority: Authority, _ options: [String] = []
    ) async throws -> AgentHandle {
        let agent = try await makeUnsignedAgent(name, port: port, trusting: authority, options)
        try await sign(name, by: authority)
        return agent
    }

    /// Makes a site whose gateway serves with `--ca`.
    static func servingWithAuthority(
        _ body: (Site, Authority, RunningGateway) async throws -> Void
    ) async throws {
        try await with { site in
            let authority = try await site.makeAuthority()
            try await site.withGateway(["--ca", authority.certificatePath]) { gateway in
                try await body(site, authority, gateway)
            }
        }
    }
}
