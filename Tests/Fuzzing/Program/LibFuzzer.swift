import Foundation
import FuzzTargets

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// libFuzzer's main function, if it is linked in. The fuzz program looks the function up by its name, so that it can be
/// built and checked without libFuzzer.
enum LibFuzzer {
    private typealias Driver =
        @convention(c) (
            UnsafeMutablePointer<Int32>, UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
            @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32
        ) -> Int32

    /// Runs libFuzzer until a limit in its flags is reached or until it finds something.
    ///
    /// - Parameter words: the program's name, then libFuzzer's flags and folders.
    /// - Returns: the exit status, or `nil` if libFuzzer is not linked in.
    static func run(_ words: [String]) -> Int32? {
        guard let symbol = dlsym(nil, "LLVMFuzzerRunDriver") else { return nil }
        let driver = unsafeBitCast(symbol, to: Driver.self)
        // The arguments are never freed, because libFuzzer uses them as long as the process runs.
        let arguments = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: words.count + 1)
        for (index, word) in words.enumerated() { arguments[index] = strdup(word) }
        arguments[words.count] = nil
        var (count, list) = (Int32(words.count), arguments)
        return driver(&count, &list) { start, count in
            runOne(Array(UnsafeBufferPointer(start: start, count: count)))
            return 0
        }
    }
}

/// A global variable, because libFuzzer's callback has no context parameter.
private let chosenTarget = CommandLine.arguments.count > 2 ? FuzzTarget.named(CommandLine.arguments[2]) : nil

/// Aborts the process on a finding, so that libFuzzer keeps the input.
private func runOne(_ input: [UInt8]) {
    do {
        try chosenTarget?.check(input)
    } catch {
        FileHandle.standardError.write(Data("finding: \(error)\n".utf8))
        abort()
    }
}
