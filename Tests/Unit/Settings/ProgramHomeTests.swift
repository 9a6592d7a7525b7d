import Settings
import SystemSupport
import Testing

/// Tests of finding the home of a program.
@Suite struct ProgramHomeTests {
    private func path(
        _ flag: String? = nil, _ environment: [String: String] = [:], user: String? = nil
    ) throws(SettingsError) -> String {
        try ProgramHome(flag: flag, environment: environment, folder: ".sluice", userHome: { user }).path
    }

    @Test func flagBeatsVariableBeatsUserHome() throws {
        let environment = ["SLUICE_HOME": "/variable", "HOME": "/user"]
        #expect(try path("/flag", environment) == "/flag")
        #expect(try path(nil, environment) == "/variable")
        #expect(try path(nil, ["SLUICE_HOME": "", "HOME": "/user"]) == "/user/.sluice")
    }

    /// A service often has no HOME. The current directory is no substitute.
    @Test(arguments: [[:], ["HOME": ""]])
    func withoutHomeTheListOfUsersCounts(environment: [String: String]) throws {
        #expect(try path(nil, environment, user: "/listed") == "/listed/.sluice")
        let error = #expect(throws: SettingsError.self) { try path(nil, environment) }
        #expect(error?.description.contains("--home or SLUICE_HOME") == true)
    }

    @Test func emptyFlagIsRefused() {
        #expect(throws: SettingsError.self) { try path("", ["HOME": "/user"]) }
    }

    /// A mistyped home must not look like one whose settings are all right.
    @Test func namedHomeMustExist() throws {
        func home(_ flag: String?, _ environment: [String: String]) throws(SettingsError) -> ProgramHome {
            try ProgramHome(flag: flag, environment: environment, folder: ".sluice", userHome: { nil })
        }
        let flag = #expect(throws: MissingHome.self) { try home("/nowhere/a", [:]).checkNamed() }
        #expect(flag?.description.contains("/nowhere/a, which --home names") == true)
        #expect(flag?.exitStatus == .missingInput)
        #expect(throws: MissingHome.self) { try home(nil, ["SLUICE_HOME": "/nowhere/a"]).checkNamed() }
        try home(nil, ["HOME": "/nowhere"]).checkNamed()
        try home("/", [:]).checkNamed()
    }

    @Test func readsTheListOfUsers() {
        #expect(ProgramHome.directoryInUserList()?.utf8.first == UInt8(ascii: "/"))
    }
}
