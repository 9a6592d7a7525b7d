import Foundation
import TestSupport
import Testing

/// Sites whose gateway and devices have certificates of a private authority.
extension Site {
    /// The name that `sluice-gateway init` writes into the gateway's certificate.
    static let gatewayName = "sluice-gateway"

    /// Makes an authority and signs the gateway's certificate.
    func makeAuthority() async throws -> Authority {
        let authority = try await Authority(in: directory.appending(path: "authority"))
        try await sign("gateway", by: authority)
        return authority
    }

    /// Signs a home's request and installs the certificate, as the manual describes.
    func sign(_ home: String, by authority: Authority, validity: Authority.Validity = .now) async throws {
        try await authority.sign(path("\(home)/identity.csr"), to: path("\(home)/identity.crt"), validity: validity)
    }

    /// Makes an agent's home that trusts the authority. The agent's own certificate is not signed yet.
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

    /// Makes an agent's home that trusts the authority, with a signed certificate.
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
