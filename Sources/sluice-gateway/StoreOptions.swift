import ArgumentParser
import CommandSupport
import Foundation
import GatewayKit
import Settings
import SystemSupport

/// The option that names the gateway's home, and what a command reads from there.
struct HomeOption: ParsableArguments {
    @Option(
        help:
            "The gateway's home directory (default: the variable SLUICE_HOME, else ~/\(GatewaySettings.usualFolder)).")
    var home: String?

    /// The home, and where its name comes from.
    var place: ProgramHome {
        get throws {
            try ProgramHome(flag: home, environment: environment, folder: GatewaySettings.usualFolder)
        }
    }

    /// Throws if the directory is the home of an agent.
    var checkedPlace: ProgramHome {
        get throws {
            let place = try place
            try GatewaySettings.checkHome(place.path)
            return place
        }
    }

    /// Throws if the directory is the home of an agent.
    var gateway: GatewayHome {
        get throws {
            GatewayHome(path: try checkedPlace.path)
        }
    }

    /// The home for a command that changes it. A command of root works as the owner of the home from then on. The
    /// owner may put links into the home, and root would follow them to files that the owner cannot change.
    var gatewayToChange: GatewayHome {
        get throws {
            let home = try gateway
            ActingUser.becomeOwner(of: home.path)
            return home
        }
    }

    /// The settings that hold for a command.
    ///
    /// - Parameter flags: the text of each flag that is a setting.
    func settings(_ flags: [String: String?] = [:]) throws -> GatewaySettings {
        try GatewaySettings.table.read(
            home: try gateway.path, fileName: GatewaySettings.fileName, environment: environment, flags: flags
        ).values
    }

    /// Whether an authority names devices. A revocation, which asks for this, must not fail because of another setting.
    func hasAuthority(flag: String?) throws -> Bool {
        do {
            return try settings(["ca": flag]).authority != nil
        } catch let error as SettingsError {
            for line in error.lines { Output.advise("sluice-gateway: \(line)") }
            return flag != nil
        }
    }

    var environment: [String: String] { ProcessInfo.processInfo.environment }
}

struct StoreOptions: ParsableArguments {
    @Option(help: GatewaySettings.table.help("store")) var store: String?
    @Option(name: .customLong("s3-endpoint"), help: GatewaySettings.table.help("s3-endpoint")) var endpoint: String?
    @Option(name: .customLong("s3-region"), help: GatewaySettings.table.help("s3-region")) var region: String?
    @Option(name: .customLong("s3-addressing"), help: GatewaySettings.table.help("s3-addressing"))
    var addressing: String?
    @Option(name: .customLong("s3-provider"), help: GatewaySettings.table.help("s3-provider")) var provider: String?
    @Option(name: .customLong("s3-ca"), help: GatewaySettings.table.help("s3-ca")) var authorities: String?
    @Option(help: GatewaySettings.table.help("verify")) var verify: String?

    /// The text of each flag.
    var flags: [String: String?] {
        [
            "store": store, "s3-endpoint": endpoint, "s3-region": region, "s3-addressing": addressing,
            "s3-provider": provider, "s3-ca": authorities, "verify": verify,
        ]
    }
}

extension GatewaySettings {
    /// The store that the command line or the settings name. Throws if none is named.
    var site: SiteStore {
        get throws {
            guard let store else {
                throw ValidationError("Say where objects go: --store file:///directory or s3://bucket/prefix")
            }
            var site = SiteStore(location: store)
            site.endpoint = endpoint
            site.region = region
            site.addressing = addressing
            site.provider = provider
            site.authoritiesFile = storeAuthorities
            site.verification = verify
            return site
        }
    }
}
