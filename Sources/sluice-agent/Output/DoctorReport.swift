package import AgentKit
import CommandSupport
import Cryptography
import FoundationEssentials
import Logging
import TransferCommon
package import TransferCore
package import WireProtocol

/// Checks everything that a push needs, in the order in which a push needs it, and prints the findings.
package struct DoctorReport: Sendable {
    private let home: AgentHome
    private let host: String
    private let port: Int
    private let interfaces: [String]
    private let isPlaintext: Bool
    private let software: String

    /// - Parameters:
    ///   - interfaces: network interfaces through which to connect; empty to follow the system's routing table.
    ///   - isPlaintext: whether to connect over plain TCP, without TLS, as a push does with this setting.
    ///   - software: name and version of this program, for the gateway's log.
    package init(
        home: AgentHome, host: String, port: Int, interfaces: [String] = [], isPlaintext: Bool = false, software: String
    ) {
        self.home = home
        self.host = host
        self.port = port
        self.interfaces = interfaces
        self.isPlaintext = isPlaintext
        self.software = software
    }

    /// Examines everything, and prints each finding. In JSON a last line has the result.
    ///
    /// - Parameter width: columns of the terminal; `nil` if the output is none.
    /// - Throws: the first failure that would end a push.
    package func report(asJSON isJSON: Bool, width: Int?, _ print: (String) -> Void) async throws {
        guard isJSON else { return try await examine { Self.lines($0.line, width: width).forEach(print) } }
        do {
            try await examine { print($0.object.line) }
            print(JSONObject(nil, sentence: nil).line)
        } catch {
            print(JSONObject(error, sentence: AgentFailure(error)?.sentence ?? "\(error)").line)
            throw error
        }
    }

    /// Examines home, identity, journal, gateway and clock.
    ///
    /// - Parameter observe: called with each finding.
    /// - Throws: the first failure that would end a push.
    func examine(_ observe: (DoctorFinding) -> Void) async throws {
        try home.check()
        let identity = try home.identity()
        observe(DoctorFinding(.home, home.path))
        observe(DoctorFinding(.device, "\(identity.fingerprint)"))
        observe(Self.journal(unfinished: try AgentJournal.unfinished(in: home, logger: .silent).count))
        // Do not connect while an agent runs in this home: the gateway would take this process for a newer run of the
        // device, and would end the connections of the running agent. A push would end with the same failure.
        let lock: AgentHome.Lock
        do throws(AgentHomeError) {
            lock = try home.lock()
        } catch {
            if error.kind == .busy {
                observe(DoctorFinding(.gateway, isFine: false, "not asked: a sluice-agent is at work in this home"))
            }
            throw error
        }
        defer { withExtendedLifetime(lock) {} }
        let missing = try NetworkInterfaces.missing(of: interfaces)
        for name in missing {
            var finding = DoctorFinding(.interface, isFine: false, "\(name) is missing at the moment")
            finding.interface = name
            observe(finding)
        }
        // Ask through each interface that exists. A push needs only one that works.
        var answers: [GatewayQuestion.Answer] = []
        var absence = UploadFailure(.unreachable)
        for interface in interfaces.isEmpty ? [nil] : interfaces.filter({ !missing.contains($0) }).map(Optional.some) {
            do {
                let answer = try await greet(as: identity, by: interface)
                let way = interface.map { "by \($0), " } ?? ""
                let away = answer.roundTrip.map { ", \(Int(($0.inSeconds * 1_000).rounded(.up))) ms away" } ?? ""
                let proof = isPlaintext ? "without TLS, so nothing proves its identity" : "it proved its identity"
                var finding = DoctorFinding(.gateway, "\(way)\(answer.address)\(away); \(proof)")
                finding.interface = interface
                finding.address = answer.address
                finding.roundTrip = answer.roundTrip
                observe(finding)
                answers.append(answer)
            } catch let failure as UploadFailure where interface != nil && failure.kind == .unreachable {
                var finding = DoctorFinding(
                    .gateway, isFine: false, "not reached by \(interface ?? ""): \(failure.cause)")
                finding.interface = interface
                observe(finding)
                absence = failure
            }
        }
        guard let answer = answers.first else { throw absence }
        switch answer.frame {
        case .welcome(let welcome):
            var greeting = DoctorFinding(
                .welcome, "by \(welcome.software), protocol version \(welcome.version); it knows this device")
            greeting.software = welcome.software
            greeting.version = Int(welcome.version)
            observe(greeting)
            let ahead = Self.secondsAhead(of: welcome, answer)
            var clock = DoctorFinding(.clock, Self.clock(ahead: ahead))
            clock.clockAhead = .milliseconds((ahead * 1_000).rounded())
            observe(clock)
            if !isPlaintext, let problem = home.pin(proved: answer.provenKey, next: welcome.nextSiteKey) {
                observe(DoctorFinding(.pins, isFine: false, "not up to date: \(problem)"))
            }
            observe(DoctorFinding(.store, try Self.store(answer.next)))
        case .error(let report):
            throw UploadFailure(ofConnection: report.code, message: report.message)
        default:
            throw UploadFailure(.protocolViolation)
        }
        observe(DoctorFinding(.sending, Self.congestionControl))
    }

    private static func journal(unfinished count: Int) -> DoctorFinding {
        var finding = DoctorFinding(.journal, count == 0 ? "nothing is unfinished" : "\(count) unfinished")
        finding.unfinished = count
        return finding
    }

    /// A finding in lines that fit the terminal. Continuation lines begin where the text of the finding begins.
    ///
    /// - Parameter width: columns of the terminal; `nil` if the output is none.
    package static func lines(_ finding: String, width: Int?) -> [String] {
        let text = finding.withVisibleControls
        return width.map { WrappedText.lines(text, width: $0, indent: textColumn) } ?? [text]
    }

    /// Where the text of each finding begins, behind the word that says what it is about.
    private static let textColumn = 10

    /// A question that the gateway can answer only by asking its store. The key usually holds no object; any answer
    /// shows that the store has answered the gateway.
    private static let questionOfStore = Frame.prove(
        Prove(size: 1, partBytes: 1, root: .zero, key: "sluice-agent-doctor", readsBack: false))

    /// What the gateway's answer to `questionOfStore` says about the store. That the store takes data, no question of
    /// the protocol shows: only an upload does.
    ///
    /// - Parameter frame: `nil` if no answer came in time.
    /// - Throws: the failure that a push would end with, or wait for.
    package static func store(_ frame: Frame?) throws(UploadFailure) -> String {
        switch frame {
        case .proven: return "it answers the gateway; whether it has room and takes data, only a push shows"
        case .sessionRefused(let refused): throw UploadFailure(refused.code, message: refused.message)
        case .error(let report): throw UploadFailure(ofConnection: report.code, message: report.message)
        default: throw UploadFailure(.storeUnavailable, "the store does not answer the gateway")
        }
    }

    private func greet(as identity: Identity, by interface: String?) async throws -> GatewayQuestion.Answer {
        try await GatewayQuestion.greet(
            host: host, port: port, home: home, identity: identity, software: software, interface: interface,
            isPlaintext: isPlaintext, thenAsking: Self.questionOfStore)
    }

    private static var congestionControl: String {
        CongestionControl.isOffered
            ? "with BBR if the gateway is far away"
            : "with the system's congestion control: BBR, which fills lossy links, is not offered "
                + "(modprobe tcp_bbr, and net.ipv4.tcp_allowed_congestion_control; else --connections 4)"
    }

    /// By how many seconds this device's clock is ahead of the gateway's. WELCOME was on its way for half a round trip.
    private static func secondsAhead(of welcome: Welcome, _ answer: GatewayQuestion.Answer) -> Double {
        let way = (answer.roundTrip?.inSeconds ?? 0) / 2
        return answer.receivedAt.timeIntervalSince1970 - way - Double(welcome.serverTime) / 1_000
    }

    /// The line about the clocks.
    ///
    /// - Parameter seconds: by how much this device's clock is ahead of the gateway's.
    package static func clock(ahead seconds: Double) -> String {
        guard abs(seconds) >= 1 else { return "as the gateway's" }
        let side = seconds > 0 ? "ahead of" : "behind"
        return "\(ReadableQuantity.time(abs(seconds))) \(side) the gateway's; nothing depends on it"
    }
}
