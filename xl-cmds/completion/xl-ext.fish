# SPDX-License-Identifier: LGPL-2.1-only
# Completion for xl-ext in fish, by what xl-ext itself says.

function __xl_ext_complete
    set -l words (commandline -opc) (commandline -ct)
    for line in (xl-ext help --complete -- $words[2..-1] 2>/dev/null)
        if test "$line" = @files
            __fish_complete_path (commandline -ct)
        else
            echo $line
        end
    end
end

complete -c xl-ext -f -a '(__xl_ext_complete)'
