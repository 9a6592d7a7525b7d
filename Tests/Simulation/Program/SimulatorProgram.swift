import FolderSimulator
import Glibc
import Simulator

/// Runs seeds and prints the results; exits with status 1 if a seed failed.
@main
enum SimulatorProgram {
    static let usage = """
        usage: sluice-simulate [--seeds N] [--from SEED] [--canary NAME]   runs N seeds (1000) from SEED on (1)
               sluice-simulate --seed S [--trace] [--shrink] [--canary NAME]   runs one seed
               sluice-simulate --crashes   a crash after every operation of an upload, and after every pair of them
               sluice-simulate --folders ...   watched folders instead of transfers; with the flags above but --shrink
        canaries: \(Canary.allCases.map(\.rawValue).joined(separator: ", "))
        canaries of folders: \(FolderCanary.allCases.map(\.rawValue).joined(separator: ", "))
        """

    /// Reads the flags and runs the mode that they select.
    static func main() {
        var (seeds, from, one): (UInt64, UInt64, UInt64?) = (1_000, 1, nil)
        var (traces, shrinks): (Bool, Bool) = (false, false)
        var isAboutFolders = false
        var canaryName: String?
        var arguments = CommandLine.arguments.dropFirst().makeIterator()
        while let flag = arguments.next() {
            switch flag {
            case "--trace": traces = true
            case "--shrink": shrinks = true
            case "--seeds": seeds = known(arguments.next().flatMap(UInt64.init))
            case "--from": from = known(arguments.next().flatMap(UInt64.init))
            case "--seed": one = known(arguments.next().flatMap(UInt64.init))
            case "--crashes": return crashEverywhere()
            case "--folders": isAboutFolders = true
            case "--canary": canaryName = known(arguments.next())
            default: return finish(usage, status: 64)
            }
        }
        guard !isAboutFolders else {
            let canary = canaryName.map { known(FolderCanary(rawValue: $0)) }
            if let one { return replayFolders(one, canary, traces: traces) }
            return runFolders(from: from, count: seeds, canary)
        }
        let canary = canaryName.map { known(Canary(rawValue: $0)) }
        if let one {
            replay(one, canary, traces: traces, shrinks: shrinks)
        } else {
            runMany(from: from, count: seeds, canary)
        }
    }

    private static func known<Value>(_ value: Value?) -> Value {
        guard let value else {
            print(usage)
            exit(64)
        }
        return value
    }
}
