import AgentKit
import GatewayKit
import Settings
import Testing
import TransferCommon
import TransferCore

/// Tests of the tables of both programs.
@Suite struct ProgramSettingsTests {
    private func agent(
        _ text: String = "", _ path: String = "agent.yaml", variables: [String: String] = [:],
        flags: [String: String] = [:]
    ) throws(SettingsError) -> AgentSettings {
        let file = try SettingsFile(path: path, bytes: Array(text.utf8))
        return try AgentSettings.table.read(file: file, variables: variables, flags: flags).values
    }

    private func gateway(
        _ text: String = "{}", _ path: String = "gateway.json", flags: [String: String] = [:]
    ) throws(SettingsError) -> GatewaySettings {
        let file = try SettingsFile(path: path, bytes: Array(text.utf8))
        return try GatewaySettings.table.read(file: file, flags: flags).values
    }

    @Test func defaultsAreThoseOfTheMachines() throws {
        let agent = try agent("{}")
        #expect(agent == AgentSettings())
        #expect(agent.concurrency == AgentLimits().concurrency)
        #expect(agent.retryFor.duration == AgentLimits().retryFor)
        let gateway = try gateway()
        #expect(gateway == GatewaySettings())
        #expect(gateway.budget.bytes == GatewayLimits.usualBudgetBytes)
        #expect(gateway.listen.description == "127.0.0.1:7420")
        #expect(GatewaySettings.table.setting("unfinished-expiry")?.usual == "7d")
    }

    /// A gateway refuses more connections, and the agent would try them again and again.
    @Test func connectionsAreThoseThatAGatewayGives() throws {
        let parts = PartRule(
            partBytesMin: 1, partBytesMax: 2, partBytesDefault: 1, partsMax: 1, objectBytesMax: 2)
        #expect(AgentLimits.connectionsRange.upperBound == GatewayLimits(parts: parts).connectionsPerDeviceMax)
    }

    /// The check of the files that settings name. The form of a setting cannot know whether a file exists.
    @Test(arguments: [
        ("ca", "/nowhere/ca.pem", "ca: Could not open /nowhere/ca.pem"),
        ("s3-ca", "/dev/null", "s3-ca: "), ("store", "file:///nowhere/objects", "store: there is no directory"),
        ("store", "file:///dev/null", "store: /dev/null is not a directory"),
        ("store", "s3://A_B", "store: The S3 store cannot"),
    ])
    func gatewayChecksWhatSettingsName(name: String, text: String, start: String) throws {
        let file = try SettingsFile(path: "gateway.yaml", bytes: Array("\(name): \(text)\n".utf8))
        let problems = GatewaySettings.problems(of: try GatewaySettings.table.read(file: file))
        #expect(problems.count == 1)
        #expect(problems.first?.description.hasPrefix("gateway.yaml:1: \(start)") == true, "\(problems)")
        #expect(GatewaySettings.problems(of: try GatewaySettings.table.read(file: nil)) == [])
    }

    @Test(arguments: [
        ("connections", "99", "--connections: must be from 1 to 16, not \"99\""),
        ("concurrency", "0", "--concurrency: must be from 1 to 256, not \"0\""),
        ("limit-rate", "20", "--limit-rate: a number needs a unit, such as 20MB/s"),
        ("part-size", "0B", "--part-size: must be a size from 1B to 5GiB"),
        ("part-size", "6GiB", "--part-size: must be a size from 1B to 5GiB"),
        ("compress", "lz4", "--compress: \"lz4\" is none of auto, always, never"),
        ("interface", "eth0,", "--interface: must be the name of a network interface"),
        ("gateway", "g", "--gateway: must be an address, HOST:PORT"),
        ("if-exists", "keep", "--if-exists: \"keep\" is none of verify, replace, fail"),
        ("retry-for", "9999d", "--retry-for: must be a time"),
    ])
    func agentRefusesImpossibleValues(name: String, text: String, sentence: String) {
        let error = #expect(throws: SettingsError.self) { try agent(flags: [name: text]) }
        #expect(error?.lines.count == 1)
        #expect(error?.description.hasPrefix(sentence) == true, "\(error?.description ?? "")")
        let variable = SettingVariables.name(of: name)
        #expect(throws: SettingsError.self) { try agent(variables: [variable: text]) }
    }

    @Test(arguments: [
        ("budget", "1MiB", "must be a size from 8MiB to 1TiB"), ("budget", "64", "needs a unit"),
        ("unfinished-expiry", "5min", "at least 1h"), ("store", "ftp://x", "this is not the location of a store"),
        ("s3-endpoint", "minio:9000", "http://"), ("s3-provider", "mini", "did you mean minio?"),
        ("verify", "no", "is none of"), ("proxy-from", "10.0.0.0/33", "an address or a network"),
        ("listen", "7420", "must be an address"),
    ])
    func gatewayRefusesImpossibleValues(name: String, text: String, sentence: String) {
        let error = #expect(throws: SettingsError.self) { try gateway(flags: [name: text]) }
        #expect(error?.description.hasPrefix("--\(name): ") == true)
        #expect(error?.description.contains(sentence) == true, "\(error?.description ?? "")")
    }

    /// Earlier versions took this file, and neither value had an effect.
    @Test func wrongTypesAreRefused() {
        let error = #expect(throws: SettingsError.self) { try gateway("{\n\"budget\": 16,\n\"ca\": true}") }
        #expect(
            error?.lines == [
                "gateway.json:2: budget: a number needs a unit, such as 8MiB",
                "gateway.json:3: ca: must be the path of a file, not \"true\"; quotes make text of it",
            ])
    }

    @Test func numbersMayStandInTheFileOfTheAgent() throws {
        let text = "{\"gateway\": \"g:1\", \"concurrency\": 8, \"receipts\": true, \"interface\": [\"eth0\"]}"
        let settings = try agent(text, "agent.json")
        #expect(settings.concurrency == 8)
        #expect(settings.receipts)
        #expect(settings.interfaces == ["eth0"])
        #expect(try agent("{\"concurrency\": \"8\", \"receipts\": \"true\"}", "agent.json").concurrency == 8)
    }

    @Test func networksAreAListOrOneText() throws {
        let list = try gateway("proxy-from: [10.0.0.0/8, 'fd00::/8']\n", "gateway.yaml")
        let text = try gateway("proxy-from: 10.0.0.0/8,fd00::/8\n", "gateway.yaml")
        #expect(list.proxyFrom == text.proxyFrom)
        #expect(!list.proxyFrom.isEmpty)
        #expect(throws: SettingsError.self) { try gateway("proxy-from: []\n", "gateway.yaml") }
    }

    @Test func settingsThatDoNotGoTogetherAreRefused() {
        let pinned = "pin: sha256:\(String(repeating: "0", count: 64))\n\nca: a.crt\n"
        let both = #expect(throws: SettingsError.self) { try agent(pinned) }
        #expect(both?.description.hasPrefix("agent.yaml:3: ca: pin is given, too") == true)
        let far = #expect(throws: SettingsError.self) { try agent("gateway: g:1\n", flags: ["plaintext": "true"]) }
        #expect(far?.description.hasPrefix("--plaintext: is for gateways on this machine") == true)
        let open = #expect(throws: SettingsError.self) {
            try gateway(flags: ["listen": "0.0.0.0:1", "plaintext": "true"])
        }
        #expect(open?.description.hasPrefix("--plaintext: is for loopback addresses") == true)
    }
}
